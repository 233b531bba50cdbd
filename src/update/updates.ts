import { type Bmc, type Component, listComponents } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { logged } from '../bmc/log.ts'
import type { Actor, Payload, Task } from '../bmc/state.ts'
import type { Flasher } from '../devices/flasher.ts'
import type { ReceivedImage } from '../image/receive.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { TaskEngine } from '../tasks/engine.ts'
import { activated, failedUpdate, updating } from './component-changes.ts'
import { hasPower } from './device-update.ts'
import { decide, type UpdateRequest } from './policy.ts'
import { runUpdate } from './run.ts'
import { activate } from './stages/activate.ts'

/** Why an update cannot start now. */
export type StartProblem =
  | { readonly kind: 'targets-busy'; readonly components: readonly Component[] }
  | { readonly kind: 'no-room' }

/** The request that asks for an update, and whose it is. */
export interface Order {
  readonly payload: Payload
  readonly actor: Actor
}

interface Underway {
  readonly component: Component
  readonly interruption: AbortController
}

/** The updates of all BMCs: starts them, keeps two from meeting on one component, ends them when a reset strikes. */
export class Updates {
  readonly #clock: Clock
  readonly #tasks: TaskEngine
  readonly #flasher: Flasher
  readonly #underway = new WeakMap<Bmc, Map<string, Underway>>()

  constructor(clock: Clock, tasks: TaskEngine, flasher: Flasher) {
    this.#clock = clock
    this.#tasks = tasks
    this.#flasher = flasher
  }

  /**
   * Starts an update of a BMC with an image that has arrived; the task discards the image at its end. When it cannot
   * start, the image stays the caller's.
   */
  start(
    bmc: Bmc,
    image: ReceivedImage,
    request: UpdateRequest,
    { payload, actor }: Order,
  ): Result<Task, StartProblem> {
    if (!this.#tasks.hasRoom(bmc)) return fail({ kind: 'no-room' })
    const decisions = image.contents.ok ? decide(bmc, image.contents.value, request) : []
    const components = decisions.flatMap((one) => (one.kind === 'update' ? [one.component] : []))
    const underway = this.#of(bmc)
    const busy = components.filter(({ id }) => underway.has(id))
    if (busy.length > 0) return fail({ kind: 'targets-busy', components: busy })
    const mine = new Map(components.map((component) => [component.id, this.#begin(bmc, component)]))
    const task = this.#tasks.start(bmc, {
      name: 'Firmware update',
      description: `Updates firmware from ${image.fileName}`,
      payload,
      actor,
      targets: components.map(({ uri }) => uri),
      run: async (handle) => {
        try {
          return await runUpdate({ bmc, image, decisions }, handle, {
            clock: this.#clock,
            flasher: this.#flasher,
            interruption: ({ id }) => mine.get(id)?.interruption.signal ?? handle.signal,
          })
        } finally {
          for (const id of mine.keys()) underway.delete(id)
          await image.spooled.discard()
        }
      },
    })
    return succeed(task)
  }

  /** A machine lost its state or its power: what was being written to its devices is lost with it. */
  interrupt(bmc: Bmc, resource: string): void {
    for (const { component, interruption } of this.#of(bmc).values()) {
      const { behaviour, relatedItems } = component
      // The manager that serves Redfish holds the image; a manager beside it holds its own firmware's.
      const isOwn = resource.startsWith(`${uris.managers}/`) && relatedItems.includes(resource)
      const isHit = resource === bmc.machine.manager || isOwn || behaviour.needsPowerOf === resource
      if (isHit) interruption.abort(new Error(`${resource} was reset`))
    }
  }

  /** Activates what waited for this resource's reset; outcomes go to the log, their task ended long ago. */
  async activatePending(bmc: Bmc, resource: string, signal: AbortSignal): Promise<void> {
    const waiting = listComponents(bmc).filter(({ behaviour }) => behaviour.reset?.resource === resource)
    await Promise.all(waiting.map((component) => this.#activateOne(bmc, component, signal)))
  }

  async #activateOne(bmc: Bmc, component: Component, signal: AbortSignal): Promise<void> {
    const { pending } = component.now
    const underway = this.#of(bmc)
    if (pending === undefined || underway.has(component.id)) return
    this.#begin(bmc, component)
    const about = { ...pending.cause, origin: component.uri }
    const started = activate.started(pending.image, component.uri)
    commit(bmc, { ...updating(component), ...logged(bmc, this.#clock.now(), about, [started]) })
    try {
      const job = {
        bmcId: bmc.id,
        component,
        signal,
        hasPower: () => hasPower(bmc, component),
        progress: () => {},
      }
      const { ok } = await this.#flasher.activate(job)
      const outcome = ok
        ? message('Update.UpdateSuccessful', component.uri, pending.image)
        : activate.failed(pending.image, component.uri)
      const change = ok ? activated(component, pending) : failedUpdate(component, activate.damages)
      commit(bmc, { ...change, ...logged(bmc, this.#clock.now(), about, [outcome]) })
    } catch (error) {
      if (!signal.aborted) throw error
      // The reset itself was cut short: the image goes on waiting for the next one.
      commit(bmc, failedUpdate(component, false))
    } finally {
      underway.delete(component.id)
    }
  }

  #begin(bmc: Bmc, component: Component): Underway {
    const begun = { component, interruption: new AbortController() }
    this.#of(bmc).set(component.id, begun)
    return begun
  }

  #of(bmc: Bmc): Map<string, Underway> {
    const known = this.#underway.get(bmc) ?? new Map<string, Underway>()
    this.#underway.set(bmc, known)
    return known
  }
}
