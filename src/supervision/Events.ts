/**
 * The telemetry events of processes, topics and supervisors.
 *
 * Attach a handler to an event with `Telemetry.attach`, or collect its occurrences with `Telemetry.collect`. The page on
 * telemetry has the names, keys and units of all events.
 *
 * @stability experimental
 * @since 0.1.0
 */

// ---- processes ----------------------------------------------------------------------------------------------------

export {
  /**
   * A process is dead. Measurements: the messages that it was sent and that it handled.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  processExit,
  /**
   * A process crashed. The event has its report, with the decision of its supervisor, if it has one. It is sent for each
   * crash, even if the log leaves the report out.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  processCrash,
  /**
   * No process took a message: its receiver is dead or full.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  deadLetter,
  /**
   * An answer came when its caller had stopped waiting.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  lateReply,
  /**
   * The event loop was blocked. The measurement says by how much a timer was late. Sent only if `EventLoop.layer` is
   * provided.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  loopBlocked
} from "../kernel/shared/events.ts"

// ---- topics -------------------------------------------------------------------------------------------------------

export {
  /**
   * A stream was too slow and has lost a message of a topic: the new one, or the oldest. Sent for each lost message.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  topicDropped
} from "../naming/shared/events.ts"

// ---- supervisors --------------------------------------------------------------------------------------------------

export {
  /**
   * A child is up. Measurement: how long its start took, in milliseconds.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  childStart,
  /**
   * A child ended by itself, or did not start. Measurement: how long it was up, in milliseconds; 0 if it did not start.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  childExit,
  /**
   * A child will be started again because it ended or did not start. Siblings that restart with it have no event of
   * their own. Measurement: the delay before the restart, in milliseconds.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  childRestart,
  /**
   * A child did not end within its limit, nor in the same time again after the kill. It is left behind. Measurement: 1.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  childZombie,
  /**
   * A supervisor gave up. Measurement: how many failures were counted, including the last one.
   *
   * @stability experimental
   * @category models
   * @since 0.1.0
   */
  restartLimit
} from "./internal/events.ts"
