import { fail, type Result } from '../lib/result.ts'

/** What is under way with devices, which ends when their adapter is closed. */
export class UnderWay {
  readonly #ending = new AbortController()
  readonly #running = new Set<Promise<unknown>>()

  /** What `work` comes to, or `whenClosed`; rejects with the signal's reason when that is aborted. */
  async run<T, P>(
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result<T, P>>,
    whenClosed: P,
  ): Promise<Result<T, P>> {
    signal.throwIfAborted()
    const done = work(AbortSignal.any([signal, this.#ending.signal]))
    this.#running.add(done)
    try {
      return await done
    } catch (error) {
      signal.throwIfAborted()
      if (this.#ending.signal.aborted) return fail(whenClosed)
      throw error
    } finally {
      this.#running.delete(done)
    }
  }

  async close(): Promise<void> {
    this.#ending.abort(new Error('closing'))
    await Promise.allSettled(this.#running)
  }
}
