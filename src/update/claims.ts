import type { Bmc, Component } from '../bmc/bmc.ts'
import { unlessAborted } from '../lib/abort.ts'
import { uris } from '../redfish/uris.ts'
import type { ResetsAtOnce } from './resets-at-once.ts'
import { ofEach } from '../lib/of-each.ts'

/** One operation's hold on a component: nobody else may work on it until it is released. */
export class Claim {
  readonly component: Component
  /** The resource whose reset ended the last work. */
  struckBy: string | undefined
  #work: AbortController | undefined
  readonly #resets: ResetsAtOnce

  constructor(component: Component, resets: ResetsAtOnce) {
    this.component = component
    this.#resets = resets
  }

  /** The device is being worked on; the signal is aborted when a reset strikes it. */
  begin(): AbortSignal {
    this.#work = new AbortController()
    this.#resets.hold(this)
    return this.#work.signal
  }

  /** Nothing happens on the device: a reset does no harm. */
  rest(): void {
    this.#work = undefined
    this.#resets.over(this)
  }

  strike(resource: string): void {
    if (this.#work === undefined) return
    this.struckBy = resource
    this.#work.abort(new Error(`${resource} was reset`))
  }
}

/** Who works on which component, of all BMCs. */
export class Claims {
  readonly #held = ofEach<Bmc, Map<string, Claim>>(() => new Map())
  /** Told of every release. */
  readonly #waiting = ofEach<Bmc, Set<() => void>>(() => new Set())
  readonly #resets: (bmc: Bmc) => ResetsAtOnce

  constructor(resets: (bmc: Bmc) => ResetsAtOnce) {
    this.#resets = resets
  }

  /** Claims all of these components, or none where one is taken. */
  take(bmc: Bmc, components: readonly Component[]): ReadonlyMap<string, Claim> | undefined {
    const held = this.#held(bmc)
    if (components.some(({ id }) => held.has(id))) return undefined
    const resets = this.#resets(bmc)
    const mine = new Map(components.map((component) => [component.id, new Claim(component, resets)] as const))
    for (const [id, claim] of mine) held.set(id, claim)
    return mine
  }

  release(bmc: Bmc, claims: ReadonlyMap<string, Claim>): void {
    for (const [id, claim] of claims) {
      claim.rest()
      this.#held(bmc).delete(id)
    }
    for (const look of this.#waiting(bmc)) look()
  }

  /** Resolves when nobody works on any of these; rejects with the signal's reason when that comes first. */
  async free(bmc: Bmc, ids: readonly string[], signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = (): void => {
      if (!ids.some((id) => this.has(bmc, id))) resolve()
    }
    look()
    this.#waiting(bmc).add(look)
    try {
      await unlessAborted(promise, signal)
    } finally {
      this.#waiting(bmc).delete(look)
    }
  }

  has(bmc: Bmc, id: string): boolean {
    return this.#held(bmc).has(id)
  }

  /** A machine lost its state or its power: what was being written to its devices is lost with it. */
  strike(bmc: Bmc, resource: string): void {
    for (const claim of this.#held(bmc).values()) {
      const { behaviour, relatedItems } = claim.component
      // The manager that serves Redfish holds the image; a manager beside it holds its own firmware's.
      const isOwn = resource.startsWith(`${uris.managers}/`) && relatedItems.includes(resource)
      const isServing = resource === bmc.machine.manager && behaviour.onManagerReset !== 'goes-on'
      if (isServing || isOwn || behaviour.needsPowerOf === resource) claim.strike(resource)
    }
  }
}
