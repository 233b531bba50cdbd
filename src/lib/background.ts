/** Work that outlives the call that began it: every piece can be aborted, and all are awaited at the end. */
export class Background {
  readonly #running = new Map<
    Promise<void>,
    { readonly controller: AbortController; readonly owner: unknown }
  >()
  readonly #failed: (error: unknown) => void

  /** `failed` is told of bugs: work reports its own problems as values. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Starts `work` at once; aborting the returned controller, closing, or stopping its owner, aborts its signal. */
  start(work: (signal: AbortSignal) => Promise<void>, owner?: object): AbortController {
    const controller = new AbortController()
    const done: Promise<void> = work(controller.signal)
      .catch((error: unknown) => {
        if (!controller.signal.aborted) this.#failed(error)
      })
      .finally(() => this.#running.delete(done))
    this.#running.set(done, { controller, owner })
    return controller
  }

  /** Aborts what is done for this owner and resolves when it has ended. */
  async stop(owner: object): Promise<void> {
    await this.#end(
      [...this.#running].filter(([, work]) => work.owner === owner),
      'stopped',
    )
  }

  /** Aborts everything and resolves when it has ended. */
  async close(): Promise<void> {
    await this.#end([...this.#running], 'closing')
  }

  async #end(
    works: readonly (readonly [Promise<void>, { readonly controller: AbortController }])[],
    reason: string,
  ): Promise<void> {
    for (const [, { controller }] of works) controller.abort(new Error(reason))
    await Promise.all(works.map(([done]) => done))
  }
}
