import type { Bmc } from '../bmc/bmc.ts'
import { logged } from '../bmc/log.ts'
import type { Actor } from '../bmc/actor.ts'
import { imageName } from '../image/image-format.ts'
import type { ImageStore } from '../image/store.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { JobEngine } from '../tasks/job-engine.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import type { Claims } from './claims.ts'
import { isForRoot, type Piece, runPieces } from './crew.ts'
import { type Plan, piecesOf, releasePlan, type VerifiedPlan } from './plan.ts'
import type { UpdateRequest } from '../bmc/operation.ts'
import { preview } from './preview.ts'
import type { StageFailure } from './stages/stage.ts'
import { type ImageSource, type Intake, transferToManager } from './stages/transfer-to-manager.ts'
import { VERIFIED, verifyOnManager } from './stages/verify-on-manager.ts'
import type { Waiting } from './waiting.ts'
import type { Workshop } from './workshop.ts'

/** An update that was accepted. */
export interface Operation {
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
}

const completed: Ending = { state: 'Completed', status: 200 }

/**
 * Runs an accepted update to its end (DSP2062, stages of an update): the manager gets the image and looks at it, then
 * every device that it is for goes through its stages, side by side. Problems become messages of the task.
 */
export async function runUpdate(operation: Operation, task: WorkHandle, office: Office): Promise<Ending> {
  try {
    return await run(operation, task, office)
  } catch (error) {
    if (!task.signal.aborted) throw error
    return { state: 'Cancelled', status: 200 }
  }
}

async function run(operation: Operation, task: WorkHandle, office: Office): Promise<Ending> {
  const { bmc, source, request } = operation
  const received = await transferToManager(source, task, {
    ...office.intake,
    rawRules: bmc.machine.rawRules,
  })
  if (!received.ok) return endFailed(operation, received.problem, task, office)
  const plan = operation.plan(received.value)
  if (plan === undefined) {
    await received.value.spooled.discard()
    return endFailed(operation, { messages: [message('Base.ResourceInUse')], status: 503 }, task, office)
  }
  let ready: VerifiedPlan | undefined
  try {
    const verified = await verifyOnManager(plan, office.shop.clock)
    // It took its time: somebody may have cancelled the task meanwhile.
    task.signal.throwIfAborted()
    if (!keepCopy(plan, task, office.images)) return endFailed(operation, noSpace, task, office)
    if (!verified.ok) return endFailed(operation, verified.problem, task, office)
    task.report({ percent: VERIFIED, messages: verified.value.told })
    const whole = { ...plan, ...verified.value }
    if (request.dryRun) return preview(whole, task, office.claims)
    ready = whole
  } finally {
    // Whatever happened: only what goes on to devices keeps its hold on them and on the image.
    if (ready === undefined) await releasePlan(plan, office.claims)
  }
  return toDevices(operation, ready, task, office)
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
function toDevices(
  { bmc, request, actor }: Operation,
  plan: VerifiedPlan,
  task: WorkHandle,
  office: Office,
): Promise<Ending> {
  const goOn = (): Promise<Ending> => {
    const pieces = piecesOf([plan], office.shop)
    const release = (): Promise<void> => releasePlan(plan, office.claims)
    return carryOut({ bmc, name: 'Firmware update', told: plan.told, actor, pieces, release }, task, office)
  }
  const waits = request.applyTime === 'OnStartUpdateRequest' && plan.claims.size > 0
  return waits ? startLater(plan, goOn, task, office) : goOn()
}

/** The manager's part failed: nothing was done to any device. */
function endFailed(
  { bmc, request }: Operation,
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
  { waiting, claims }: Office,
): Promise<Ending> {
  const messages = plan.decisions.flatMap((one) =>
    one.kind === 'update' ? [message('Update.AwaitToUpdate', imageName(one.image), one.component.uri)] : [],
  )
  const place = waiting.add(plan, task.signal)
  try {
    const started = await task.wait({ for: 'user', messages, goOn: place.start }, place.started)
    if (started === 'taken') return completed
  } catch (error) {
    await releasePlan(plan, claims)
    throw error
  }
  let ending: Ending = { state: 'Exception', status: 500 }
  try {
    ending = await goOn()
    return ending
  } finally {
    place.end(ending)
  }
}

/** The devices' part of an operation. */
interface Undertaking {
  readonly bmc: Bmc
  readonly name: string
  readonly actor: Actor
  /** What its task has told of it: its job tells the same. */
  readonly told: readonly Message[]
  readonly pieces: readonly Piece[]
  readonly release: () => Promise<void>
}

/** Does the devices' part: in a job where somebody has to act or there are several devices, else in the task. */
export async function carryOut(
  undertaking: Undertaking,
  task: WorkHandle,
  { jobs }: Office,
): Promise<Ending> {
  const { bmc, name, actor, told, pieces, release } = undertaking
  const work = async (handle: WorkHandle, isJob: boolean): Promise<Ending> => {
    try {
      return await runPieces(pieces, handle, { isJob })
    } finally {
      await release()
    }
  }
  const asksForJob = pieces.length > 1 || pieces.some(({ needsUser }) => needsUser)
  if (bmc.machine.awaitReset !== 'job' || !asksForJob || !jobs.hasRoom(bmc)) return work(task, false)
  const job = jobs.start(bmc, {
    name,
    actor,
    type: 'ServiceGenerated',
    group: task.cause.group,
    targets: pieces.map(({ device }) => device.component.uri),
    exposes: isForRoot,
    run: (handle) => {
      handle.report({ messages: told })
      return work(handle, true)
    },
  })
  const uri = uris.job(job.id)
  task.report({ messages: [message('Update.OperationTransitionedToJob', uri)], created: [uri] })
  return completed
}
