import type { Actor } from '../bmc/actor.ts'
import { type Bmc, type Component, listComponents } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import type { UpdateRequest } from '../bmc/operation.ts'
import { isEnough, type PerformedReset } from '../bmc/reset-types.ts'
import type { Payload, Task } from '../bmc/state.ts'
import type { ReceivedImage } from '../image/receive.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import type { TaskEngine } from '../tasks/engine.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import { Claims } from './claims.ts'
import { withoutStandby } from './component-changes.ts'
import { activateParked } from './parked.ts'
import { makePlan, planned, plannedAndVerified } from './plan.ts'
import { resetFor } from './reset-need.ts'
import { carryOut, type Office, runUpdate, workOf } from './run.ts'
import { type ImageSource, shownUri } from './stages/transfer-to-manager.ts'
import type { Standby } from './standby.ts'
import { takeUpOperations } from './take-up.ts'
import { activation, beginning, endsAtWait, followTasks, taskWork } from './undertakings.ts'
import { Waiting } from './waiting.ts'

/** Why an operation cannot start now. */
export interface StartProblem {
  readonly kind: 'targets-busy' | 'no-room'
}

/** The request that asks for an operation, and whose it is. */
export interface Order {
  readonly payload: Payload
  readonly actor: Actor
  /** The operation of a roll-out that it is. */
  readonly rolloutOperation?: string | undefined
}

type Started = Result<Task, StartProblem>
type RemoteSource = Extract<ImageSource, { kind: 'remote' }>

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
  startPull(bmc: Bmc, source: RemoteSource, request: UpdateRequest, order: Order): Started {
    if (!this.#tasks.hasRoom(bmc)) return fail({ kind: 'no-room' })
    const description = `Updates firmware from ${shownUri(source.request.uri)}`
    const plan = (image: ReceivedImage) => makePlan(bmc, image, request, this.#claims)
    return succeed(this.#start({ bmc, request, order, description, targets: [] }, source, plan))
  }

  /** Starts everything that waits for it (UpdateService.StartUpdate); `undefined` where nothing does. */
  startWaiting(bmc: Bmc, order: Order): Started | undefined {
    const { waiting } = this.#office
    if (!waiting.has(bmc)) return undefined
    if (!this.#tasks.hasRoom(bmc)) return fail({ kind: 'no-room' })
    const isOwn = bmc.machine.startUpdate === 'own-task'
    const started = waiting.all(bmc)
    const { run, ...record } = isOwn ? this.#takeOver(bmc, order.actor, started) : this.#follow(bmc, started)
    waiting.settleAll(bmc, isOwn ? 'taken' : 'go')
    return succeed(
      this.#tasks.start(bmc, {
        name: 'Start of updates',
        description: 'Starts the updates that wait for it',
        ...order,
        ...taskWork(bmc, run, bmc.machine.awaitReset === 'completed'),
        also: (id) => ({
          operations: [
            ...started.map(({ operation }) => {
              const now = bmc.state.operations.get(operation)
              return [
                operation,
                isOwn || now === undefined ? undefined : { ...now, isStarted: true },
              ] as const
            }),
            [id, { id, actor: order.actor, ...record }],
          ],
        }),
      }),
    )
  }

  /** What waited is done by the task that started it. */
  #takeOver(bmc: Bmc, actor: Actor, started: ReturnType<Waiting['all']>) {
    const plans = started.map(({ plan }) => plan)
    const run = (task: WorkHandle): Promise<Ending> => {
      const undertaking = { bmc, name: 'Firmware update', actor, ...workOf(plans, this.#office) }
      task.report({ messages: undertaking.told })
      return carryOut(undertaking, task, this.#office)
    }
    return { run, isStarted: true, plans: plans.map(plannedAndVerified) }
  }

  /** What waited goes on in its own tasks; the one that started them shows each as a part. */
  #follow(bmc: Bmc, started: ReturnType<Waiting['all']>) {
    const follows = started.map(({ operation }) => operation)
    return { run: (task: WorkHandle) => followTasks(bmc, follows, task), follows }
  }

  /** Makes images that stand by the ones that run (UpdateService.Activate, SoftwareInventory.Activate). */
  activate(bmc: Bmc, images: readonly Standby[], order: Order): Started {
    if (!this.#tasks.hasRoom(bmc)) return fail({ kind: 'no-room' })
    const claims = this.#claims.take(
      bmc,
      images.map(({ component }) => component),
    )
    if (claims === undefined) return fail({ kind: 'targets-busy' })
    const undertaking = activation({ bmc, actor: order.actor, choices: images }, claims, this.#office)
    const activates = images.map(({ component, image }) => ({
      component: component.id,
      image: image.id,
      // What stands by on a managed device is known to the device alone.
      ...(component.on && { version: image.version }),
    }))
    return succeed(
      this.#tasks.start(bmc, {
        name: 'Firmware activation',
        description: `Activates ${images.map(({ image }) => image.image).join(', ')}`,
        ...order,
        targets: images.map(({ component }) => component.uri),
        ...taskWork(bmc, (task) => carryOut(undertaking, task, this.#office)),
        also: (id) => beginning({ id, actor: order.actor, activates }),
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

  /** Resolves when no operation has its hold on any of these; rejects with the signal's reason when that comes first. */
  whenFree(bmc: Bmc, ids: readonly string[], signal: AbortSignal): Promise<void> {
    return this.#claims.free(bmc, ids, signal)
  }

  /** Keeps updates from a component until the returned function is called; nothing where an operation has its hold on it. */
  hold(bmc: Bmc, component: Component): (() => void) | undefined {
    const claims = this.#claims.take(bmc, [component])
    return claims && (() => this.#claims.release(bmc, claims))
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

  /** A device of a console is managed no more: what waited for something of it goes on, and finds that out. */
  detached(bmc: Bmc, device: string): void {
    this.#office.shop.gates.detached(bmc, device)
    this.#office.waiting.detached(bmc, device)
  }

  /** Goes on with what an earlier run of the service left under way; resolves when all of it is about to. */
  takeUp(bmc: Bmc): Promise<void> {
    return takeUpOperations(bmc, this.#office, this.#tasks)
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
    const { actor } = order
    const update = { bmc, source, request, actor, plan }
    const known =
      source.kind === 'here'
        ? { plans: [planned({ image: source.image, request })] }
        : { source: recordOf(source, request) }
    return this.#tasks.start(bmc, {
      name: 'Firmware update',
      description,
      ...order,
      targets,
      // A roll-out waits for the end of what it began.
      ...taskWork(
        bmc,
        (task) => runUpdate(update, task, this.#office),
        order.rolloutOperation === undefined && endsAtWait(bmc, request),
      ),
      also: (id) => beginning({ id, actor, ...known }),
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

/** What is needed to fetch an image once more. */
function recordOf({ request: { uri, username, password } }: RemoteSource, request: UpdateRequest) {
  return { uri: uri.href, username, password, request }
}
