/**
 * Processes, and the signals between them.
 *
 * @since 0.1.0
 */
export * as Accounting from "./Accounting.ts"
export * as CrashReport from "./CrashReport.ts"
export * as Display from "./Display.ts"
export * as EventLoop from "./EventLoop.ts"
export * as ExitReason from "./ExitReason.ts"
export * as Handle from "./Handle.ts"
export * as Kernel from "./Kernel.ts"
export * as Mailbox from "./Mailbox.ts"
export * as Pid from "./Pid.ts"
export * as Process from "./Process.ts"
export * as Shutdown from "./Shutdown.ts"
export * as Signal from "./Signal.ts"
export * as Timer from "./Timer.ts"
