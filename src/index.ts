/**
 * The map of effect-otp: every core module, grouped by layer, bottom first.
 *
 * @since 0.1.0
 */
export {}
