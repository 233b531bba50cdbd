import type { Bmc, Listener } from '../../bmc/bmc.ts'
import { findComponent } from '../../bmc/bmc.ts'
import { nextChange } from '../../bmc/next-change.ts'
import type { Task } from '../../bmc/state.ts'
import type { ReceivedImage } from '../../image/receive.ts'
import type { ImageStore } from '../../image/store.ts'
import { unlessAborted } from '../../lib/abort.ts'
import { fail, succeed } from '../../lib/result.ts'
import { message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { FailureStage } from '../../rollout/plan.ts'
import type { ChosenComponent } from '../../rollout/select.ts'
import type { FlashOrder, FlashPort } from '../../rollout/run.ts'
import type { Outcome } from '../../rollout/state.ts'
import type { TaskEngine } from '../../tasks/engine.ts'
import { standbyOnDevice, standsBy, type Standby } from '../../update/standby.ts'
import type { Order, Updates } from '../../update/updates.ts'
import type { Devices } from '../devices.ts'
import { outcomeOf } from './outcome.ts'
import type { Asked } from './record.ts'
import { requestFor } from './selection.ts'

/** What devices are written with. */
export interface FlashTools {
  readonly updates: Updates
  readonly tasks: TaskEngine
  readonly images: ImageStore
  readonly devices?: Pick<Devices, 'look'> | undefined
}

/** What is brought to devices, and by whose word. */
export interface Cargo {
  readonly asked: Asked
  /** `undefined`: nobody has it any more. */
  readonly image: () => ReceivedImage | undefined
}

type Started = Awaited<ReturnType<FlashPort['start']>>
type Begun = ReturnType<Updates['start']>

/** The updates of a console that roll-outs begin: ordinary ones, each a task that knows its operation. */
export class Flashing {
  readonly #bmc: Bmc
  readonly #tools: FlashTools
  /** What was begun, and nobody has asked for its end yet. */
  readonly #ends = new Map<string, PromiseWithResolvers<Outcome>>()
  readonly #taskIds = new Map<string, string>()
  /** Those that wait until they can begin. */
  readonly #waiting = new Map<string, AbortController>()
  /** Of the images that they send, in bytes. */
  readonly #sizes = new Map<string, number>()
  readonly #closing = new AbortController()
  readonly #onCommit: Listener = ({ tasks = [] }) => {
    for (const [, task] of tasks) if (task !== undefined) this.#hear(task, task.endTime === undefined)
  }

  constructor(bmc: Bmc, tools: FlashTools) {
    this.#bmc = bmc
    this.#tools = tools
    // Before anything new happens: what has ended in an earlier life is known by its task alone.
    for (const task of bmc.state.tasks.values()) this.#hear(task, true)
    bmc.listeners.add(this.#onCommit)
  }

  close(): void {
    this.#bmc.listeners.delete(this.#onCommit)
    this.#closing.abort(new Error('closing'))
  }

  /** The devices' side of a roll-out. */
  portOf(cargo: Cargo): FlashPort {
    return {
      start: (order) =>
        order.kind === 'Update' ? this.#update(cargo, order) : this.#rollBack(cargo.asked, order),
      cancel: (operation) => {
        this.#waiting.get(operation)?.abort(new Error('cancelled'))
        const id = this.#taskIds.get(operation)
        if (id !== undefined) this.#tools.tasks.cancel(this.#bmc, id)
      },
      outcome: async (operation, signal) => {
        const ends = this.#ends.get(operation)
        const outcome = ends && (await unlessAborted(ends.promise, signal))
        // What an earlier run of the service began is an update, nearly always.
        const size = this.#sizes.get(operation) ?? cargo.image()?.sizeBytes
        for (const known of [this.#ends, this.#taskIds, this.#sizes]) known.delete(operation)
        return outcome && wasSent(outcome) ? { ...outcome, bytes: size } : outcome
      },
    }
  }

  #hear(task: Task, isNews: boolean): void {
    const { id, rolloutOperation: operation } = task
    if (operation === undefined) return
    const ends = this.#ends.get(operation) ?? (isNews ? this.#await(operation, id) : undefined)
    if (task.endTime !== undefined) ends?.resolve(outcomeOf(task))
  }

  #await(operation: string, task: string): PromiseWithResolvers<Outcome> {
    const ends = Promise.withResolvers<Outcome>()
    this.#ends.set(operation, ends)
    this.#taskIds.set(operation, task)
    return ends
  }

  async #update({ asked, image }: Cargo, order: FlashOrder): Promise<Started> {
    const received = image()
    const { fileName } = received ?? { fileName: asked.base.image }
    if (received === undefined)
      return fail({ stage: 'Start', message: message('Update.TransferFailed', fileName, uris.updateService) })
    return this.#start(asked, order, { image: received, force: asked.force })
  }

  /** Brings back what ran before, with the image of it that is kept. What was never replaced needs nothing. */
  async #rollBack(asked: Asked, order: FlashOrder): Promise<Started> {
    const changed = order.target.components.filter(
      ({ id, from }) => findComponent(this.#bmc, id)?.now.version !== from,
    )
    if (changed.length === 0) {
      this.#sizes.set(order.operation, 0)
      return this.#endAtOnce(order, { end: 'Succeeded' })
    }
    const image = await this.#imageOf(changed)
    if (image === undefined) return this.#activate(asked, order, changed)
    const started = await this.#start(asked, order, { image, force: true, components: changed })
    await image.spooled.discard()
    return started
  }

  /** Brings back what stands by on the device itself, where it does. */
  async #activate(asked: Asked, order: FlashOrder, changed: readonly ChosenComponent[]): Promise<Started> {
    // What it has since it was updated it may not have been asked for.
    await this.#tools.devices?.look(this.#bmc, order.target.id)
    const images = changed.flatMap(({ id, from }): Standby[] => {
      const component = findComponent(this.#bmc, id)
      if (component === undefined || !standsBy(this.#bmc, component, from)) return []
      return [{ component, image: standbyOnDevice(this.#bmc, component, from) }]
    })
    const missing = changed.find(({ id }) => !images.some(({ component }) => component.id === id))
    if (missing !== undefined) {
      const { uri, from } = missing
      return fail({ stage: 'Start', message: message('Redflash.PreviousImageMissing', uri, from) })
    }
    this.#sizes.set(order.operation, 0)
    const begin = (): Begun => this.#tools.updates.activate(this.#bmc, images, orderOf(asked, order, changed))
    return this.#begin(order, begin)
  }

  #endAtOnce({ operation }: FlashOrder, outcome: Outcome): Started {
    const ends = Promise.withResolvers<Outcome>()
    ends.resolve(outcome)
    this.#ends.set(operation, ends)
    return succeed({})
  }

  /** An image that is kept and has these versions for these components. */
  async #imageOf(components: readonly ChosenComponent[]): Promise<ReceivedImage | undefined> {
    const { images } = this.#tools
    for (const id of this.#bmc.state.localImages.keys()) {
      const image = await images.find(this.#bmc, uris.localImage(id))
      const parts = image?.contents.ok === true ? image.contents.value.components : []
      const has = ({ id: component, from }: ChosenComponent): boolean => {
        const softwareId = findComponent(this.#bmc, component)?.softwareId
        return parts.some(
          ({ version, fits }) =>
            version === from && (fits.kind !== 'software' || fits.softwareId === softwareId),
        )
      }
      if (image !== undefined && components.every(has)) return image
      await image?.spooled.discard()
    }
    return undefined
  }

  /** Begins it when there is room for its task. The image stays whose it was. */
  async #start(
    asked: Asked,
    flash: FlashOrder,
    {
      image,
      force,
      components = flash.target.components,
    }: {
      readonly image: ReceivedImage
      readonly force: boolean
      readonly components?: readonly ChosenComponent[]
    },
  ): Promise<Started> {
    const gone = components.find(({ id }) => findComponent(this.#bmc, id) === undefined)
    if (gone !== undefined)
      return fail({ stage: 'Start', message: message('Redflash.DeviceDetached', gone.uri) })
    const request = requestFor(new Set(components.map(({ id }) => id)), force)
    this.#sizes.set(flash.operation, image.sizeBytes)
    return this.#begin(flash, async () => {
      const own = { ...image, spooled: image.spooled.share() }
      const started = this.#tools.updates.start(this.#bmc, own, request, orderOf(asked, flash, components))
      if (!started.ok) await own.spooled.discard()
      return started
    })
  }

  /** As soon as nobody else works on the device, and there is room for its task, unless it is told to end before. */
  async #begin(order: FlashOrder, begin: () => Begun | Promise<Begun>): Promise<Started> {
    const { updates } = this.#tools
    const ids = order.target.components.map(({ id }) => id)
    for (;;) {
      const started = await begin()
      if (started.ok) return succeed({ task: uris.task(started.value.id) })
      const isBusy = started.problem.kind === 'targets-busy'
      const canBegin = await this.#wait(order, (signal) =>
        isBusy
          ? updates.whenFree(this.#bmc, ids, signal)
          : nextChange(this.#bmc, ({ tasks }) => tasks !== undefined, signal),
      )
      if (!canBegin) return this.#endAtOnce(order, { end: 'Cancelled' })
    }
  }

  /** False where it is told to end meanwhile. */
  async #wait({ operation }: FlashOrder, until: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
    const stop = new AbortController()
    this.#waiting.set(operation, stop)
    try {
      await until(AbortSignal.any([this.#closing.signal, stop.signal]))
      return true
    } catch (error) {
      if (!stop.signal.aborted) throw error
      return false
    } finally {
      this.#waiting.delete(operation)
    }
  }
}

/** By whose word it is done, and of which operation it is. */
function orderOf(
  { targetUri, actor }: Asked,
  { operation }: FlashOrder,
  components: readonly ChosenComponent[],
): Order {
  const jsonBody = JSON.stringify({ Targets: components.map(({ uri }) => uri) })
  return { payload: { targetUri, httpHeaders: [], jsonBody }, actor, rolloutOperation: operation }
}

/** Whether all of the image came to the device, as far as can be said: it got beyond its transfer. */
function wasSent({ end, failure }: Outcome): boolean {
  return end === 'Succeeded' || (failure !== undefined && beyondTransfer.includes(failure.stage))
}

const beyondTransfer: readonly FailureStage[] = ['Verify', 'Install', 'Activate']
