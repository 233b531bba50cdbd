/** Work that outlives the call that began it: every piece can be aborted, and all are awaited at the end. */
export class Background {
  readonly #running = new Map<Promise<void>, AbortController>()
  readonly #failed: (error: unknown) => void

  /** `failed` is told of bugs: work reports its own problems as values. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Starts `work` at once; aborting the returned controller, or closing, aborts its signal. */
  start(work: (signal: AbortSignal) => Promise<void>): AbortController {
    const controller = new AbortController()
    const done: Promise<void> = work(controller.signal)
      .catch((error: unknown) => {
        if (!controller.signal.aborted) this.#failed(error)
      })
      .finally(() => this.#running.delete(done))
    this.#running.set(done, controller)
    return controller
  }

  /** Aborts everything and resolves when it has ended. */
  async close(): Promise<void> {
    for (const controller of this.#running.values()) controller.abort(new Error('closing'))
    await Promise.all(this.#running.keys())
  }
}
