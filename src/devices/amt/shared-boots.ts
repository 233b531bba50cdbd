import { unlessAborted } from '../../lib/abort.ts'
import type { Clock } from '../../lib/clock.ts'

/** What a boot is for: a component of a device, and the image that it gets. */
export interface BootWanted {
  readonly device: string
  readonly component: string
  readonly sha256: string
  readonly signal: AbortSignal
  /** Told when the device is about to be asked for it, or was already. */
  readonly asked: () => void
}

interface Boot {
  readonly sha256: string
  /** The components that are content with it. */
  readonly served: Set<string>
  /** Whom to tell that the device is asked; nobody more once it is. */
  waiting: (() => void)[] | undefined
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

  /**
   * Has a device boot, by `boot`, unless it does already, or has done, for another component; `boot` tells when it asks the
   * device.
   */
  async run(wanted: BootWanted, boot: (asks: () => void) => Promise<void>): Promise<void> {
    const { device, component, sha256, signal, asked } = wanted
    for (let other = this.#boots.get(device); other !== undefined; other = this.#boots.get(device)) {
      const isShared = other.sha256 === sha256 && !other.served.has(component)
      if (isShared) join(other, component, asked)
      const outcome = await unlessAborted(other.outcome, signal)
      if (isShared && outcome.kind === 'done') return
      if (isShared && outcome.kind === 'failed') throw outcome.error
      this.#forget(device, other)
    }
    const { promise: outcome, resolve: settle } = Promise.withResolvers<Outcome>()
    const own: Boot = { sha256, served: new Set([component]), waiting: [asked], outcome }
    this.#boots.set(device, own)
    try {
      await boot(() => {
        for (const tell of own.waiting ?? []) tell()
        own.waiting = undefined
      })
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

function join(boot: Boot, component: string, asked: () => void): void {
  boot.served.add(component)
  if (boot.waiting === undefined) asked()
  else boot.waiting.push(asked)
}
