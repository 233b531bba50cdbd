import { type Bmc, findComponent } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { forgotten } from '../bmc/forgotten-operation.ts'
import type { Operation, PlannedImage } from '../bmc/operation.ts'
import { readKept } from '../image/kept.ts'
import type { ReceivedImage } from '../image/receive.ts'
import { message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { TaskEngine } from '../tasks/engine.ts'
import { isFinalJob } from '../tasks/job.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import { takeUpActivation } from './bring-into-use.ts'
import { failedUpdate } from './component-changes.ts'
import type { Piece } from './crew.ts'
import { gonePiece, isGone } from './gone.ts'
import { identityOf } from './identity.ts'
import { makePlan, planAgain, releasePlan, type VerifiedPlan } from './plan.ts'
import { allReached, reachedBy } from './record.ts'
import {
  carryOut,
  movedTo,
  type Office,
  runUpdate,
  takeUpInJob,
  toDevices,
  type Undertaking,
  workOf,
} from './run.ts'
import { standbyOnDevice } from './standby.ts'
import { activation, endsAtWait, followTasks, isRollOut, taskWork } from './undertakings.ts'
import { conclude, type DeviceWork } from './workshop.ts'

/** An operation of an earlier run of the service, with its images as far as they are still here. */
interface Left {
  readonly bmc: Bmc
  readonly operation: Operation
  readonly images: readonly (ReceivedImage | undefined)[]
}

type Run = (task: WorkHandle) => Promise<Ending>

const failed: Ending = { state: 'Exception', status: 500 }

/**
 * Goes on with what an earlier run of the service left under way on this BMC, each operation from where its record says
 * that it is: a restart of the service is to its devices what a reset of their manager is.
 */
export async function takeUpOperations(bmc: Bmc, office: Office, tasks: TaskEngine): Promise<void> {
  const { spool } = office.intake
  const options = { ...office.intake, rawRules: bmc.machine.rawRules }
  const left = await Promise.all(
    [...bmc.state.operations.values()].map(async (operation): Promise<Left> => {
      const { plans = [] } = operation
      const images = await Promise.all(plans.map((plan) => readKept(spool, plan, options)))
      return { bmc, operation, images }
    }),
  )
  // All of them in one turn, in their order: who waited before others goes on waiting before them.
  for (const one of left) takeUpOne(one, office, tasks)
}

function takeUpOne(left: Left, office: Office, tasks: TaskEngine): void {
  const { bmc, operation, images } = left
  const { id, job } = operation
  if (isOver(bmc, operation)) {
    for (const image of images) void image?.spooled.discard()
    return commit(bmc, forgotten(bmc, id))
  }
  if (job === undefined)
    return tasks.takeUp(bmc, id, taskWork(bmc, runOf(left, office), endsEarly(bmc, operation)))
  if (isRollOut(operation))
    return tasks.takeUp(
      bmc,
      id,
      taskWork(bmc, (task) => Promise.resolve(movedTo(job, task))),
    )
  takeUpInJob(undertakingOf(left, plansOf(left, office), office), { id, job }, office)
  const task = bmc.state.tasks.get(id)
  if (task !== undefined && task.endTime === undefined)
    tasks.takeUp(bmc, id, { run: (handle) => Promise.resolve(movedTo(job, handle)) })
}

/** Whether its end was shown, and nothing of it goes on unseen. */
function isOver({ state }: Bmc, operation: Operation): boolean {
  const { id, job: jobId, plans = [] } = operation
  if (jobId !== undefined && !isRollOut(operation)) {
    const job = state.jobs.get(jobId)
    return job === undefined || isFinalJob(job.state)
  }
  const task = state.tasks.get(id)
  if (task !== undefined && task.endTime === undefined) return false
  const isVerified = plans.length > 0 && plans.every(({ verified }) => verified !== undefined)
  return task?.state === 'Cancelled' || !isVerified
}

/** Whether its task ends when it waits, as it was when the task began. */
function endsEarly(bmc: Bmc, { id, source, plans = [], follows, isStarted }: Operation): boolean {
  if (bmc.state.tasks.get(id)?.rolloutOperation !== undefined) return false
  const request = source?.request ?? plans[0]?.request
  if (follows !== undefined || (isStarted === true && plans.length > 0))
    return bmc.machine.awaitReset === 'completed'
  return request !== undefined && endsAtWait(bmc, request)
}

/** What its task does from here on. */
function runOf(left: Left, office: Office): Run {
  const { bmc, operation, images } = left
  const { actor, source, plans = [], follows } = operation
  if (follows !== undefined) return (task) => followTasks(bmc, follows, task)
  if (source !== undefined) {
    const { uri, request, ...login } = source
    const from = { uri: new URL(uri), ...login, identity: identityOf(bmc) }
    const plan = (image: ReceivedImage) => makePlan(bmc, image, request, office.claims)
    const update = { bmc, source: { kind: 'remote', request: from } as const, request, actor, plan }
    return (task) => runUpdate(update, task, office)
  }
  const [first] = plans
  const [image] = images
  if (first !== undefined && first.verified === undefined) {
    if (image === undefined) return losing(first)
    const plan = makePlan(bmc, image, first.request, office.claims)
    const update = { bmc, source: { kind: 'here', image } as const, request: first.request, actor }
    return (task) => runUpdate({ ...update, plan: () => plan }, task, office)
  }
  const again = plansOf(left, office)
  const [plan] = again ?? []
  if (plan !== undefined && again?.length === 1)
    return (task) => toDevices({ bmc, actor }, plan, task, office)
  const undertaking = undertakingOf(left, again, office)
  return (task) => carryOut(undertaking, task, office)
}

/** The devices' part of what was verified, or of what was to be brought into use. */
function undertakingOf(
  { bmc, operation }: Left,
  again: readonly VerifiedPlan[] | undefined,
  office: Office,
): Undertaking {
  const { actor, plans = [], activates } = operation
  if (activates !== undefined) {
    const choices = activates.flatMap(({ component: id, image: wanted, version }) => {
      const component = findComponent(bmc, id)
      if (component?.on !== undefined && version !== undefined)
        return [{ component, image: standbyOnDevice(bmc, component, version) }]
      const { standby = [], pending } = component?.now ?? {}
      // One that is in use by now has its place among the others still.
      const image = standby.find((one) => one.id === wanted) ?? pending ?? standby[0]
      return component === undefined ? [] : [{ component, image }]
    })
    const components = choices.map(({ component }) => component)
    const claims = office.claims.take(bmc, components) ?? new Map<string, never>()
    return activation({ bmc, actor, choices }, claims, office)
  }
  const about = { bmc, name: 'Firmware update', actor }
  return {
    ...about,
    ...(again ? workOf(again, office, allReached(bmc, operation.id)) : lostWork(bmc, plans, office)),
  }
}

/** What was verified, with its hold on its components; `undefined` where an image is not here any more. */
function plansOf(
  { bmc, operation, images }: Left,
  { claims, shop }: Office,
): readonly VerifiedPlan[] | undefined {
  const plans = (operation.plans ?? []).map((plan, index) => {
    const image = images[index]
    return image && plan.verified && planAgain(bmc, image, { ...plan, verified: plan.verified }, claims)
  })
  const found = plans.filter((plan) => plan !== undefined)
  if (found.length === plans.length && found.length > 0) return found
  for (const plan of found) releasePlan(plan, { claims, clock: shop.clock })
  for (const image of images) void image?.spooled.discard()
  return undefined
}

/** An image that nobody has any more cannot be verified. */
function losing({ fileName }: PlannedImage): Run {
  return (task) => {
    task.report({ messages: [message('Update.TransferFailed', fileName, uris.updateService)] })
    return Promise.resolve(failed)
  }
}

/** Nor can it be written; what is on its device already needs it no more. */
function lostWork(bmc: Bmc, plans: readonly PlannedImage[], { shop, claims }: Office) {
  const wanted = plans.flatMap(({ fileName, verified }) =>
    (verified?.updates ?? []).map(({ component: id }) => ({
      id,
      fileName,
      component: findComponent(bmc, id),
    })),
  )
  const held = claims.take(
    bmc,
    wanted.flatMap(({ component = [] }) => component),
  )
  const pieces = wanted.flatMap(({ id, component, fileName }): Piece[] => {
    if (isGone(bmc, id)) return [gonePiece(bmc, id, shop)]
    const claim = held?.get(id)
    if (component === undefined || claim === undefined) return []
    const run: Piece['run'] = (told) => goOnWithout({ bmc, component, claim, shop, ...told }, fileName)
    return [{ component, needsUser: false, run }]
  })
  const release = (): void => held && claims.release(bmc, held)
  return { told: [], pieces, release, isIncomplete: pieces.length < wanted.length }
}

async function goOnWithout(device: DeviceWork, fileName: string): Promise<Ending> {
  const { bmc, component } = device
  const left = reachedBy(device)
  if (left?.at === 'over') return { state: left.state, status: left.status }
  const { pending } = component.now
  const isThere = left?.at === 'installed' || left?.at === 'activate'
  if (isThere && pending !== undefined) return takeUpActivation(device, pending, left)
  const change = failedUpdate(bmc, component, left?.at === 'install' || left?.at === 'activate')
  if (device.work.signal.aborted) device.work.report({}, change)
  device.work.signal.throwIfAborted()
  return conclude(device, failed, [message('Update.TransferFailed', fileName, component.uri)], change)
}
