import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import { forgotten } from '../bmc/forgotten-operation.ts'
import { logged } from '../bmc/log.ts'
import type { Actor } from '../bmc/actor.ts'
import type { Change } from '../bmc/state.ts'
import { imageName } from '../image/image-format.ts'
import type { ImageStore } from '../image/store.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { JobEngine, ResumedJobWork } from '../tasks/job-engine.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import type { Claims } from './claims.ts'
import { isForRoot, type Piece, runPieces } from './crew.ts'
import { type Plan, piecesOf, planned, plannedAndVerified, releasePlan, type VerifiedPlan } from './plan.ts'
import type { PartReached, UpdateRequest } from '../bmc/operation.ts'
import { preview } from './preview.ts'
import { allReached, operationOf, recorded } from './record.ts'
import type { StageFailure } from './stages/stage.ts'
import { type ImageSource, type Intake, transferToManager } from './stages/transfer-to-manager.ts'
import { VERIFIED, verifyOnManager } from './stages/verify-on-manager.ts'
import type { Waiting } from './waiting.ts'
import type { Workshop } from './workshop.ts'

/** An update that was accepted. */
export interface AcceptedUpdate {
  readonly bmc: Bmc
  readonly source: ImageSource
  readonly request: UpdateRequest
  readonly actor: Actor
  /** Makes the plan; `undefined` where somebody else works on one of the components. */
  readonly plan: (image: Plan['image']) => Plan | undefined
}

/** What operations work with, beside what devices' parts do. */
export interface Office {
  readonly shop: Workshop
  readonly intake: Intake
  readonly jobs: JobEngine
  readonly waiting: Waiting
  readonly images: ImageStore
  readonly claims: Claims
  /** Of a console. */
  readonly rollOuts?: RollOuts | undefined
}

/** Brings an image to many devices, in waves. */
export interface RollOuts {
  /** Begins it; the task is over then. */
  readonly begin: (plan: VerifiedPlan, task: WorkHandle) => Ending
  /** Tells what would be done. */
  readonly preview: (plan: VerifiedPlan, task: WorkHandle) => Ending
}

const completed: Ending = { state: 'Completed', status: 200 }

/**
 * Runs an accepted update to its end (DSP2062, stages of an update): the manager gets the image and looks at it, then
 * every device that it is for goes through its stages, side by side. Problems become messages of the task.
 */
export async function runUpdate(update: AcceptedUpdate, task: WorkHandle, office: Office): Promise<Ending> {
  try {
    return await runStages(update, task, office)
  } catch (error) {
    if (!task.signal.aborted) throw error
    return { state: 'Cancelled', status: 200 }
  }
}

async function runStages(update: AcceptedUpdate, task: WorkHandle, office: Office): Promise<Ending> {
  const { bmc, source, request } = update
  const received = await transferToManager(source, task, {
    ...office.intake,
    rawRules: bmc.machine.rawRules,
  })
  if (!received.ok) return endFailed(update, received.problem, task, office)
  const plan = update.plan(received.value)
  if (plan === undefined) {
    await received.value.spooled.discard()
    return endFailed(update, { messages: [message('Base.ResourceInUse')], status: 503 }, task, office)
  }
  task.report({}, recorded(bmc, task, { source: undefined, plans: [planned(plan)] }))
  let ready: VerifiedPlan | undefined
  try {
    const verified = await verifyOnManager(plan, office.shop.clock)
    // It took its time: somebody may have cancelled the task meanwhile.
    task.signal.throwIfAborted()
    if (!keepCopy(plan, task, office.images)) return endFailed(update, noSpace, task, office)
    if (!verified.ok) return endFailed(update, verified.problem, task, office)
    const whole = { ...plan, ...verified.value }
    // Who only asks is answered anew after a restart: nothing was begun that could go on.
    const isUndecided = request.dryRun || request.rollOut !== undefined
    const plans = [isUndecided ? planned(plan) : plannedAndVerified(whole)]
    task.report({ percent: VERIFIED, messages: whole.told }, recorded(bmc, task, { plans }))
    if (request.rollOut !== undefined) return rollOut(whole, task, office)
    if (request.dryRun) return preview(whole, task, office.claims)
    ready = whole
  } finally {
    // Whatever happened: only what goes on to devices keeps its hold on them and on the image.
    if (ready === undefined) releasePlan(plan, { claims: office.claims, clock: office.shop.clock })
  }
  return toDevices(update, ready, task, office)
}

function rollOut(plan: VerifiedPlan, task: WorkHandle, { rollOuts }: Office): Ending {
  if (rollOuts === undefined) throw new Error('a roll-out was asked of what is no console')
  return plan.request.dryRun ? rollOuts.preview(plan, task) : rollOuts.begin(plan, task)
}

const noSpace: StageFailure = { messages: [message('Base.InsufficientStorage')], status: 507 }

/** Keeps the copy that the service is asked to keep (LocalImage), if it is; false where there is no room for it. */
function keepCopy({ bmc, image, request }: Plan, task: WorkHandle, images: ImageStore): boolean {
  if (!request.keepsImage || request.dryRun || !image.contents.ok) return true
  const kept = images.keep(bmc, image)
  if (kept.ok) task.report({ created: [uris.localImage(kept.value.id)] })
  return kept.ok
}

/** The devices' part of a verified plan, which is released at its end: now, or when StartUpdate says so. */
export function toDevices(
  { bmc, actor }: Pick<AcceptedUpdate, 'bmc' | 'actor'>,
  plan: VerifiedPlan,
  task: WorkHandle,
  office: Office,
): Promise<Ending> {
  const goOn = (): Promise<Ending> => {
    const work = workOf([plan], office, allReached(bmc, String(task.cause.group)))
    return carryOut({ bmc, name: 'Firmware update', actor, ...work }, task, office)
  }
  const isAsked = plan.request.applyTime === 'OnStartUpdateRequest' && plan.claims.size > 0
  const waits = isAsked && operationOf(bmc, task)?.isStarted !== true
  return waits ? startLater(plan, goOn, task, office) : goOn()
}

/** What verified plans come to on their devices. */
export function workOf(
  plans: readonly VerifiedPlan[],
  { shop, claims }: Office,
  left?: ReadonlyMap<string, PartReached>,
): Pick<Undertaking, 'told' | 'pieces' | 'release'> {
  return {
    told: plans.flatMap((plan) => plan.told),
    pieces: piecesOf(plans, shop, left),
    release: () => {
      for (const plan of plans) releasePlan(plan, { claims, clock: shop.clock })
    },
  }
}

/** The manager's part failed: nothing was done to any device. */
function endFailed(
  { bmc, request }: AcceptedUpdate,
  { messages, status }: StageFailure,
  task: WorkHandle,
  { shop }: Office,
): Ending {
  const about = { ...task.cause, origin: uris.updateService }
  // Who only asked changes nothing, and that is no news of the machine.
  task.report({ messages }, request.dryRun ? {} : logged(bmc, shop.clock.now(), about, messages))
  return { state: 'Exception', status }
}

/** Waits for StartUpdate and then goes on, unless that took the plan over. */
async function startLater(
  plan: VerifiedPlan,
  goOn: () => Promise<Ending>,
  task: WorkHandle,
  { waiting, claims, shop }: Office,
): Promise<Ending> {
  const messages = plan.decisions.flatMap((one) =>
    one.kind === 'update' ? [message('Update.AwaitToUpdate', imageName(one.image), one.component.uri)] : [],
  )
  const place = waiting.add({ plan, operation: String(task.cause.group) }, task.signal)
  try {
    const started = await task.wait({ for: 'user', messages, goOn: place.start }, place.started)
    if (started === 'taken') return completed
  } catch (error) {
    releasePlan(plan, { claims, clock: shop.clock })
    throw error
  }
  return goOn()
}

/** The devices' part of an operation. */
export interface Undertaking {
  readonly bmc: Bmc
  readonly name: string
  readonly actor: Actor
  /** What its task has told of it: its job tells the same. */
  readonly told: readonly Message[]
  readonly pieces: readonly Piece[]
  /** Whether it was for more than is here: then it fails, whatever its pieces come to. */
  readonly isIncomplete?: boolean
  readonly release: () => void
}

/** Does the devices' part: in a job where somebody has to act or there are several devices, else in the task. */
export async function carryOut(
  undertaking: Undertaking,
  task: WorkHandle,
  { jobs }: Office,
): Promise<Ending> {
  const { bmc, name, actor, told, pieces } = undertaking
  // Of a roll-out, a step of its job shows the device.
  const isOfRollOut = bmc.state.tasks.get(String(task.cause.group))?.rolloutOperation !== undefined
  const asksForJob = !isOfRollOut && (pieces.length > 1 || pieces.some(({ needsUser }) => needsUser))
  if (bmc.machine.awaitReset !== 'job' || !asksForJob || !jobs.hasRoom(bmc))
    return perform(undertaking, task, false)
  const job = jobs.start(bmc, {
    name,
    actor,
    type: 'ServiceGenerated',
    group: task.cause.group,
    also: (id) => recorded(bmc, task, { job: id }),
    ...inJob(undertaking, String(task.cause.group), (handle) => {
      handle.report({ messages: told })
      return perform(undertaking, handle, true)
    }),
  })
  return movedTo(job.id, task)
}

/** Goes on with an operation in the job that it had moved to. */
export function takeUpInJob(
  undertaking: Undertaking,
  { id, job }: { readonly id: string; readonly job: string },
  { jobs }: Office,
): void {
  const goOn = (handle: WorkHandle): Promise<Ending> => perform(undertaking, handle, true)
  jobs.takeUp(undertaking.bmc, job, inJob(undertaking, id, goOn))
}

/** The task's part is over: a job goes on with it. */
export function movedTo(job: string, task: WorkHandle, also: Change = {}): Ending {
  const uri = uris.job(job)
  task.report({ messages: [message('Update.OperationTransitionedToJob', uri)], created: [uri] }, also)
  return completed
}

function inJob({ bmc, pieces }: Undertaking, operation: string, run: ResumedJobWork['run']): ResumedJobWork {
  return {
    run,
    exposes: isForRoot,
    targets: pieces.map(({ component }) => component.uri),
    onOver: () => commit(bmc, forgotten(bmc, operation)),
  }
}

async function perform(
  { pieces, isIncomplete = false, release }: Undertaking,
  handle: WorkHandle,
  isJob: boolean,
): Promise<Ending> {
  try {
    const ending = await runPieces(pieces, handle, { isJob })
    if (!isIncomplete) return ending
    handle.report({ messages: [message('Base.OperationFailed')] })
    return { state: 'Exception', status: 500 }
  } finally {
    release()
  }
}
