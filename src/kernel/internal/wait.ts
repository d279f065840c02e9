/** What a process waits for. @internal */
export interface WaitOf<P> {
  /**
   * The processes that have to act before it goes on, as far as that is known now. Empty if there are none or they are
   * not known.
   */
  readonly blockers: Iterable<P>
  /** Ends the wait of a process that waits for itself. False if the wait is over already. */
  readonly fail?: ((cycle: ReadonlyArray<P>) => boolean) | undefined
}
