/** What somebody waits for. @internal */
export interface WaitOf<P> {
  /** Those that have to act before it goes on, as far as that is known now. Empty: nobody, or nobody knows. */
  readonly blockers: Iterable<P>
  /** Ends the wait of one that waits for itself. False if it is over. */
  readonly fail?: ((round: ReadonlyArray<P>) => boolean) | undefined
}
