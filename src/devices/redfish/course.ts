import { patientGet, pause } from '../../client/errand.ts'
import { nextPath, type Seen, seenAt } from '../../client/follow.ts'
import type { ReadMessage } from '../../client/message-reading.ts'
import { linkUris } from '../../redfish/resource.ts'
import { referencePath } from '../../redfish/uris.ts'
import { type Connection, linkIn } from './connection.ts'
import { DeviceError } from '../device-error.ts'
import { answerProblem } from './problems.ts'
import { concerns, isFailure } from './remote-messages.ts'

/** A sub-task of the task, or a step of the job. */
interface Part {
  readonly messages: readonly ReadMessage[]
  readonly isOver: boolean
}

/** An update on a device, as it was last seen. */
export interface Course {
  /** The inventory item that it is for. */
  readonly target: string
  readonly seen: Seen
  readonly parts: ReadonlyMap<string, Part>
  /** What it and its parts have told of the target. */
  readonly said: readonly ReadMessage[]
  /** Whether its task is there no more, as after resets of some managers. */
  readonly isGone: boolean
}

/** How far an update has come, by what is told of it (DSP2062 §5). */
const ranks: ReadonlyMap<string, number> = new Map([
  ['UpdateInProgress', 1],
  ['TargetDetermined', 1],
  ['AllTargetsDetermined', 1],
  ['TransferringToComponent', 2],
  ['VerifyingAtComponent', 2],
  ['InstallingOnComponent', 3],
  ['ApplyFailed', 3],
  ['AwaitToActivate', 4],
  ['ApplyingOnComponent', 4],
  ['ActivateFailed', 4],
  ['UpdateSuccessful', 4],
])
const unbegun = new Set(['New', 'Starting'])
/** A sub-task or two, or a step for each device: who has more is asked for the first of them. */
const MAX_PARTS = 64

export function courseOf(target: string, seen: Seen): Course {
  return withSaid({ target, seen, parts: new Map(), said: [], isGone: false })
}

/** An update that is seen at this path, as it is now. */
export function courseAt(connection: Connection, target: string, path: string): Promise<Course> {
  const answer = { status: 202, location: undefined, retryAfterS: undefined, token: undefined, body: {} }
  return lookAgain(connection, courseOf(target, seenAt(path, answer)))
}

/** 1: prepared, 2: taken to the device and verified there, 3: installed, 4: activated; 0 where nothing is told of that. */
export function rankOf({ said }: Course): number {
  return Math.max(0, ...said.map(({ key }) => ranks.get(key) ?? 0))
}

/** Whether it has told that it is not yet at writing the image. */
export function isPreparing(course: Course): boolean {
  const rank = rankOf(course)
  return rank < 3 && (rank > 0 || unbegun.has(course.seen.state ?? ''))
}

/** Whether nothing more comes of it; a task that became a job goes on there. */
export function isOver({ seen, isGone }: Course): boolean {
  return isGone || (seen.isOver && nextPath(seen) === seen.path)
}

/** Whether it waits for somebody to act. */
export function isWaiting(course: Course): boolean {
  const { seen } = course
  if (course.isGone) return false
  // A job that is over waits for nobody, a task that is over may well.
  if (isOver(course)) return !seen.isJob && isAwaited(course)
  if (seen.state === 'UserIntervention') return true
  return seen.state === 'Pending' && hasTold(course, 'ResetRequired')
}

/** What it came to; `undefined` where only the version can tell. */
export function verdictOf(course: Course): 'good' | 'bad' | undefined {
  const { seen, said, isGone } = course
  if (hasTold(course, 'UpdateSuccessful')) return 'good'
  if (said.some(isFailure)) return 'bad'
  if (isGone) return undefined
  const { status, body } = seen.answer
  const isBad = status >= 400 || body['TaskStatus'] === 'Critical' || body['JobStatus'] === 'Critical'
  return isBad || (seen.state !== undefined && seen.state !== 'Completed') ? 'bad' : 'good'
}

/** Whether it has told this of the target. */
export function hasTold({ said }: Course, key: string): boolean {
  return said.some((one) => one.key === key)
}

/** Whether the target was said to wait, and not to be through since. */
function isAwaited({ said }: Course): boolean {
  const last = said.findLast(({ key }) =>
    ['AwaitToActivate', 'AwaitToUpdate', 'UpdateSuccessful'].includes(key),
  )
  return last !== undefined && last.key !== 'UpdateSuccessful'
}

/** Asks until `isThere`, for as long as something new is told; `progress` is told how far it says it is, from 0 to 1. */
export async function follow(
  connection: Connection,
  from: Course,
  {
    isThere,
    progress,
  }: { readonly isThere: (course: Course) => boolean; readonly progress: (share: number) => void },
): Promise<Course> {
  const { clock, patience, errand } = connection
  const start = percentOf(from)
  let [course, sign, since] = [from, signOf(from), clock.now()]
  while (!isThere(course)) {
    await pause(errand, course.seen.answer)
    course = await lookAgain(connection, course)
    const share = (percentOf(course) - start) / (100 - start)
    // The end is told by whoever sees it.
    if (share > 0 && share < 1) progress(share)
    const now = signOf(course)
    if (now !== sign) [sign, since] = [now, clock.now()]
    else if (clock.now() - since >= patience.stillMs)
      throw new DeviceError({ kind: 'failed', detail: 'nothing is told of the update any more' })
  }
  return course
}

function percentOf({ seen }: Course): number {
  const percent = seen.answer.body['PercentComplete']
  return typeof percent === 'number' ? percent : 0
}

function signOf(course: Course): string {
  return JSON.stringify([course.seen.path, course.seen.state, percentOf(course), course.said.length])
}

/** Where it stands now. */
async function lookAgain({ errand }: Connection, course: Course): Promise<Course> {
  const path = nextPath(course.seen)
  // What nothing can be seen of is over.
  if (path === undefined) return { ...course, seen: { ...course.seen, isOver: true } }
  const answer = await patientGet(errand, path)
  if (answer.status === 404 || answer.status === 410)
    return { ...course, seen: { ...course.seen, isOver: true }, isGone: true }
  if (answer.status === 401 || answer.status === 403)
    throw new DeviceError(answerProblem(`GET ${path}`, answer))
  const seen = seenAt(path, answer)
  return withSaid({ ...course, seen, parts: await readParts(errand, course, seen) })
}

/** Most tell all of it in the task, some in its sub-tasks and a job in its steps only. What is over tells nothing new. */
async function readParts(
  errand: Connection['errand'],
  { parts: known }: Course,
  { answer: { body } }: Seen,
): Promise<ReadonlyMap<string, Part>> {
  const list = linkIn(body, 'SubTasks') ?? linkIn(body, 'Steps')
  if (list === undefined) return known
  const members = linkUris((await patientGet(errand, list)).body['Members']).slice(0, MAX_PARTS)
  const parts = new Map(known)
  for (const path of members.map(referencePath)) {
    if (parts.get(path)?.isOver === true) continue
    const part = seenAt(path, await patientGet(errand, path))
    parts.set(path, { messages: part.messages, isOver: part.isOver })
  }
  return parts
}

/** A part repeats some of what its task tells. */
function withSaid(course: Course): Course {
  const all = [course.seen.messages, ...[...course.parts.values()].map(({ messages }) => messages)].flat()
  const said = new Map(all.filter((one) => concerns(one, course.target)).map((one) => [keyOf(one), one]))
  return { ...course, said: [...said.values()] }
}

function keyOf({ id, args }: ReadMessage): string {
  return JSON.stringify([id, ...args])
}
