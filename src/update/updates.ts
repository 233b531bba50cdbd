import { type Bmc, type Component, listComponents } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { isEnough, type PerformedReset } from '../bmc/reset-types.ts'
import type { Actor } from '../bmc/actor.ts'
import type { Payload, StandbyImage, Task } from '../bmc/state.ts'
import type { ReceivedImage } from '../image/receive.ts'
import { unlessAborted } from '../lib/abort.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { uris } from '../redfish/uris.ts'
import type { TaskEngine } from '../tasks/engine.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import { bringIntoUse } from './bring-into-use.ts'
import { Claims } from './claims.ts'
import { withoutStandby } from './component-changes.ts'
import { endingOf, type Piece } from './crew.ts'
import { activateParked } from './parked.ts'
import { makePlan, piecesOf, releasePlan } from './plan.ts'
import type { UpdateRequest } from '../bmc/operation.ts'
import { carryOut, type Office, runUpdate } from './run.ts'
import { resetFor } from './reset-need.ts'
import { type ImageSource, shownUri } from './stages/transfer-to-manager.ts'
import { Waiting } from './waiting.ts'

/** Why an operation cannot start now. */
export interface StartProblem {
  readonly kind: 'targets-busy' | 'no-room'
}

/** The request that asks for an operation, and whose it is. */
export interface Order {
  readonly payload: Payload
  readonly actor: Actor
}

/** An image that stands by, and the component that it is for. */
export interface Standby {
  readonly component: Component
  readonly image: StandbyImage
}

type Started = Result<Task, StartProblem>

/** The updates of all BMCs: starts them, keeps two from meeting on one component, tells them of resets. */
export class Updates {
  readonly #office: Office
  readonly #tasks: TaskEngine
  readonly #claims: Claims

  constructor(office: Omit<Office, 'waiting' | 'claims'>, tasks: TaskEngine) {
    this.#claims = new Claims(office.shop.resets)
    this.#office = { ...office, waiting: new Waiting(), claims: this.#claims }
    this.#tasks = tasks
  }

  /** Starts an update with an image that is here, which stays the caller's when it cannot start. */
  start(bmc: Bmc, image: ReceivedImage, request: UpdateRequest, order: Order): Started {
    if (!this.#tasks.hasRoom(bmc)) return fail({ kind: 'no-room' })
    const plan = makePlan(bmc, image, request, this.#claims)
    if (plan === undefined) return fail({ kind: 'targets-busy' })
    const targets = [...plan.claims.values()].map(({ component }) => component.uri)
    const source = { kind: 'here', image } as const
    const about = { description: `Updates firmware from ${image.fileName}`, targets }
    return succeed(this.#start({ bmc, request, order, ...about }, source, () => plan))
  }

  /** Starts an update with an image that the service fetches itself. */
  startPull(
    bmc: Bmc,
    source: Extract<ImageSource, { kind: 'remote' }>,
    request: UpdateRequest,
    order: Order,
  ): Started {
    if (!this.#tasks.hasRoom(bmc)) return fail({ kind: 'no-room' })
    const description = `Updates firmware from ${shownUri(source.request.uri)}`
    const plan = (image: ReceivedImage) => makePlan(bmc, image, request, this.#claims)
    return succeed(this.#start({ bmc, request, order, description, targets: [] }, source, plan))
  }

  /** Starts everything that waits for it (UpdateService.StartUpdate); `undefined` where nothing does. */
  startWaiting(bmc: Bmc, order: Order): Started | undefined {
    if (!this.#office.waiting.has(bmc)) return undefined
    if (!this.#tasks.hasRoom(bmc)) return fail({ kind: 'no-room' })
    const isOwn = bmc.machine.startUpdate === 'own-task'
    const work = isOwn ? this.#takeOver(bmc, order.actor) : this.#follow(bmc)
    return succeed(
      this.#tasks.start(bmc, {
        name: 'Start of updates',
        description: 'Starts the updates that wait for it',
        ...order,
        endsAtWait: bmc.machine.awaitReset === 'completed',
        run: work,
      }),
    )
  }

  /** What waited is done by the task that started it. */
  #takeOver(bmc: Bmc, actor: Actor): (task: WorkHandle) => Promise<Ending> {
    const { waiting, shop, claims } = this.#office
    const plans = waiting.takeAll(bmc)
    const told = plans.flatMap((plan) => plan.told)
    const release = async (): Promise<void> => {
      for (const plan of plans) await releasePlan(plan, claims)
    }
    const undertaking = { bmc, name: 'Firmware update', actor, told, pieces: piecesOf(plans, shop), release }
    return (task) => {
      task.report({ messages: told })
      return carryOut(undertaking, task, this.#office)
    }
  }

  /** What waited goes on in its own tasks; the one that started them shows each as a part. */
  #follow(bmc: Bmc): (task: WorkHandle) => Promise<Ending> {
    const started = this.#office.waiting.startAll(bmc)
    return async (task) => {
      const endings = started.map(({ plan, ended }) =>
        task.part({
          name: `Update from ${plan.image.fileName}`,
          target: uris.updateService,
          run: ({ signal }) => unlessAborted(ended, signal),
        }),
      )
      return endingOf(await Promise.all(endings))
    }
  }

  /** Makes images that stand by the ones that run (UpdateService.Activate, SoftwareInventory.Activate). */
  activate(bmc: Bmc, images: readonly Standby[], order: Order): Started {
    if (!this.#tasks.hasRoom(bmc)) return fail({ kind: 'no-room' })
    const claims = this.#claims.take(
      bmc,
      images.map(({ component }) => component),
    )
    if (claims === undefined) return fail({ kind: 'targets-busy' })
    const pieces = images.flatMap(({ component, image }): Piece[] => {
      const claim = claims.get(component.id)
      if (claim === undefined) return []
      return [
        {
          device: { bmc, component, claim, shop: this.#office.shop },
          needsUser: resetFor(component, image) !== undefined,
          run: (device) => bringIntoUse(device, { ...image, cause: device.work.cause }),
        },
      ]
    })
    const release = (): Promise<void> => Promise.resolve(this.#claims.release(bmc, claims))
    const undertaking = { bmc, name: 'Firmware activation', actor: order.actor, told: [], pieces, release }
    return succeed(
      this.#tasks.start(bmc, {
        name: 'Firmware activation',
        description: `Activates ${images.map(({ image }) => image.image).join(', ')}`,
        ...order,
        targets: images.map(({ component }) => component.uri),
        run: (task) => carryOut(undertaking, task, this.#office),
      }),
    )
  }

  /** Removes an image that stands by; false where it is being activated. */
  removeStandby(bmc: Bmc, { component, image }: Standby): boolean {
    if (this.#claims.has(bmc, component.id)) return false
    commit(bmc, withoutStandby(bmc, component, image.id))
    return true
  }

  /** Whether an operation has its hold on the component. */
  isClaimed(bmc: Bmc, id: string): boolean {
    return this.#claims.has(bmc, id)
  }

  /** A machine lost its state or its power: what was being written to its devices is lost with it. */
  interrupt(bmc: Bmc, resource: string): void {
    this.#claims.strike(bmc, resource)
  }

  /** A resource is reset: what waited for that goes on, and resolves when the resource may boot on. */
  async reset(bmc: Bmc, reset: PerformedReset, signal: AbortSignal): Promise<void> {
    const opened = this.#office.shop.gates.reset(bmc, reset, signal)
    const opening = { by: reset, signal, through: () => {} }
    const parked = listComponents(bmc).filter((component) => {
      const { pending, boot } = component.now
      const need = pending && resetFor(component, pending)
      // While the backup boots, what waits on the component itself goes on waiting.
      return need !== undefined && isEnough(reset, need) && boot?.next !== 'backup'
    })
    const activated = parked.map((component) =>
      activateParked({ bmc, component, opening, shop: this.#office.shop }, this.#claims),
    )
    await Promise.all([opened, ...activated])
  }

  /** The maintenance window was moved. */
  windowChanged(bmc: Bmc): void {
    this.#office.shop.gates.windowChanged(bmc)
  }

  #start(
    about: About,
    source: ImageSource,
    plan: (image: ReceivedImage) => ReturnType<typeof makePlan>,
  ): Task {
    const { bmc, request, order, description, targets } = about
    const operation = { bmc, source, request, actor: order.actor, plan }
    return this.#tasks.start(bmc, {
      name: 'Firmware update',
      description,
      ...order,
      targets,
      endsAtWait: endsAtWait(bmc, request),
      run: (task) => runUpdate(operation, task, this.#office),
    })
  }
}

/** What an update's task is made of. */
interface About {
  readonly bmc: Bmc
  readonly request: UpdateRequest
  readonly order: Order
  readonly description: string
  readonly targets: readonly string[]
}

/** Whether the task is over when its work waits for somebody: some clients poll one that waits for ever. */
function endsAtWait({ machine }: Bmc, { applyTime }: UpdateRequest): boolean {
  switch (applyTime) {
    case 'OnStartUpdateRequest':
      return machine.startUpdate === 'own-task'
    case 'AtMaintenanceWindowStart':
    case 'InMaintenanceWindowOnReset':
      return false
    case 'Immediate':
    case 'OnReset':
    case 'OnTargetReset':
      return machine.awaitReset === 'completed'
  }
}
