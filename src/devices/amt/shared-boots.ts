import { unlessAborted } from '../../lib/abort.ts'
import type { Clock } from '../../lib/clock.ts'

/** What a boot is for: a component of a device, and the image that it gets. */
export interface BootWanted {
  readonly device: string
  readonly component: string
  readonly sha256: string
  readonly signal: AbortSignal
}

interface Boot {
  readonly sha256: string
  /** The components that are content with it. */
  readonly served: Set<string>
  /** Whether it went well; never rejects. */
  readonly outcome: Promise<Outcome>
}

type Outcome = { readonly kind: 'done' | 'aborted' } | { readonly kind: 'failed'; readonly error: unknown }

/** Components of one update may come this long after each other. */
const SHARED_MS = 300_000

/**
 * One boot a device at a time; and one for all its components that are to get the same image, because a machine installs
 * whatever is for it of what it booted.
 */
export class SharedBoots {
  readonly #clock: Clock
  readonly #boots = new Map<string, Boot>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Has a device boot, by `boot`, unless it does already, or has done, for another component. */
  async run(wanted: BootWanted, boot: () => Promise<void>): Promise<void> {
    const { device, component, sha256, signal } = wanted
    for (let other = this.#boots.get(device); other !== undefined; other = this.#boots.get(device)) {
      const isShared = other.sha256 === sha256 && !other.served.has(component)
      if (isShared) other.served.add(component)
      const outcome = await unlessAborted(other.outcome, signal)
      if (isShared && outcome.kind === 'done') return
      if (isShared && outcome.kind === 'failed') throw outcome.error
      this.#forget(device, other)
    }
    const { promise: outcome, resolve: settle } = Promise.withResolvers<Outcome>()
    const own: Boot = { sha256, served: new Set([component]), outcome }
    this.#boots.set(device, own)
    try {
      await boot()
      settle({ kind: 'done' })
      this.#clock.schedule(SHARED_MS, () => this.#forget(device, own))
    } catch (error) {
      this.#forget(device, own)
      settle(signal.aborted ? { kind: 'aborted' } : { kind: 'failed', error })
      throw error
    }
  }

  #forget(device: string, boot: Boot): void {
    if (this.#boots.get(device) === boot) this.#boots.delete(device)
  }
}
