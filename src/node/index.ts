/**
 * The application as a process of Node.
 *
 * @since 0.1.0
 */
export * as NodeApplication from "./NodeApplication.ts"
/**
 * HTTP servers as supervised children.
 *
 * @since 0.1.0
 */
export * as NodeHttpListener from "./NodeHttpListener.ts"
/**
 * TCP and other socket servers as supervised children.
 *
 * @since 0.1.0
 */
export * as SocketListener from "./SocketListener.ts"
