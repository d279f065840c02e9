/** The defaults of this layer. */
import * as Duration from "effect/Duration"

/** How many failures a supervisor survives, and in what time. @internal */
export const defaultIntensity = { max: 3, within: Duration.seconds(5) }

/** How long a child that is no supervisor may take to end in good order. @internal */
export const defaultShutdown = Duration.seconds(5)

/** How many partitions a partition supervisor has. @internal */
export const defaultPartitions = 8

/** How many children a dynamic supervisor may have at a time. @internal */
export const defaultMaxChildren = Infinity

/** Which ends of a child are followed by a restart. @internal */
export const defaultRestart = "permanent"

/** Which partitions restart with a partition that fails. @internal */
export const defaultPartitionStrategy = "oneForOne"

/** Whether a supervisor ends with its significant children. @internal */
export const defaultAutoShutdown = "never"
