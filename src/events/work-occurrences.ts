import type { Bmc } from '../bmc/bmc.ts'
import type { Job, JobState, Task } from '../bmc/state.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import { isFinalJob, jobEndMessage, jobStartMessage, jobUri } from '../tasks/job.ts'
import { endMessage, isFinal, startMessage, taskUri } from '../tasks/task.ts'
import { ofLife, type Pair } from './life.ts'
import type { Occurrence } from './occurrence.ts'

/** Progress is told at most once for so many percent. */
const PROGRESS_STEP = 10

/** Where the log says that a message comes from. */
type OriginOf = (one: Message) => string | undefined

interface Work {
  readonly percent: number
  readonly messages: readonly Message[]
}

/** What the registries have for a task, or a job, and what is to be told of it. */
interface Telling {
  readonly origin: string
  /** Whom news speak of that name nobody. */
  readonly subject: string
  readonly removed: Message
  readonly isOver: boolean
  /** Of how it stands now. */
  readonly states: readonly Message[]
  readonly news: readonly Message[]
}

export function ofTask(pair: Pair<Task>, originOf: OriginOf): Occurrence[] {
  const { key, now, was } = pair
  return ofWork(pair, originOf, {
    origin: taskUri(key),
    subject: uris.updateService,
    removed: message('TaskEvent.TaskRemoved', key),
    isOver: now !== undefined && isFinal(now.state),
    states: now === undefined ? [] : ofTaskState(key, now, was),
    // What a part says, its task says, too: it happened once.
    news: now?.parent === undefined ? newsOf(pair) : [],
  })
}

/** Of the jobs of a commit: what a step tells, or a wave of a roll-out, its job says, too: it happened once. */
export function ofJobs(bmc: Bmc, jobs: readonly Pair<Job>[], originOf: OriginOf): Occurrence[] {
  const byParts = new Set(jobs.filter(isPart).flatMap(newsOf))
  return jobs.flatMap((pair) =>
    ofJob(bmc, pair, originOf, isPart(pair) ? newsOf(pair) : newsOf(pair).filter((one) => !byParts.has(one))),
  )
}

function isPart({ now }: Pair<Job>): boolean {
  return now?.parent !== undefined || now?.wave !== undefined
}

function ofJob(bmc: Bmc, pair: Pair<Job>, originOf: OriginOf, news: readonly Message[]): Occurrence[] {
  const { key, now, was } = pair
  const isUsers = now?.type === 'UserSpecified'
  // Of many steps each has its news, and seldom has the job any that no step of the same commit tells.
  const bySteps: ReadonlySet<Message> = news.length === 0 ? new Set() : toldBySteps(bmc, key, now?.parts)
  return ofWork(pair, originOf, {
    origin: jobUri(key),
    // A user's request may have been about anything.
    subject: isUsers || now?.rollout !== undefined ? jobUri(key) : uris.updateService,
    removed: message('JobEvent.JobRemoved', key),
    isOver: now !== undefined && isFinalJob(now.state),
    states: now === undefined ? [] : ofJobState(key, now, was),
    news: news.filter((one) => !bySteps.has(one) && !(isUsers && isToldByOther(bmc, key, one))),
  })
}

/** What steps have told at any time: a reset that they wait for their job asks for later. */
function toldBySteps({ state }: Bmc, key: string, parts = 0): ReadonlySet<Message> {
  const steps = Array.from({ length: parts }, (_, index) => state.jobs.get(`${key}/${index + 1}`))
  return new Set(steps.flatMap((step) => step?.messages ?? []))
}

/** What a user's job follows has said it already: the job keeps the very same message. */
function isToldByOther({ state }: Bmc, key: string, one: Message): boolean {
  const others = [...state.jobs].flatMap(([id, job]) => (id === key ? [] : [job]))
  return [...state.tasks.values(), ...others].some(({ messages }) => messages.includes(one))
}

/** Its own events stand for its changes: a ResourceChanged for each would say them again, unthrottled. */
function ofWork(
  pair: Pair<Work>,
  originOf: OriginOf,
  { origin, subject, removed, isOver, states, news }: Telling,
): Occurrence[] {
  const { now, was } = pair
  const life = now === undefined || was === undefined ? ofLife(origin, pair) : []
  if (now === undefined) return was === undefined ? [] : [{ message: removed, origin, isGone: true }, ...life]
  const told = states.map((one) => ({ message: one, origin }))
  return [
    ...life,
    ...(isOver ? [] : told),
    ...news.map((one) => ({ message: one, origin: originOf(one) ?? targetOf(one) ?? subject })),
    ...(isOver ? told : []),
  ]
}

function ofTaskState(key: string, now: Task, was: Task | undefined): Message[] {
  if (isFinal(now.state)) return now.state === was?.state ? [] : [endMessage(now)]
  const isNew = now.state !== was?.state
  const isPaused = was?.state === 'Pending'
  return [
    ...(isNew && now.state === 'Running' && !isPaused ? [startMessage(now)] : []),
    ...(isNew && now.state === 'Running' && isPaused ? [message('TaskEvent.TaskResumed', key)] : []),
    ...(isNew && now.state === 'Pending' ? [message('TaskEvent.TaskPaused', key)] : []),
    ...(isFurther(now, was) ? [message('TaskEvent.TaskProgressChanged', key, now.percent)] : []),
  ]
}

const paused: readonly JobState[] = ['Pending', 'Suspended', 'UserIntervention']

/** What a roll-out does has more states than its jobs: one that changes nothing of those is told by its own name. */
function ofJobState(key: string, now: Job, was: Job | undefined): Message[] {
  const told = ofJobChange(key, now, was)
  const { rolloutState: state } = now
  const isSilent = told.length === 0 && was !== undefined && state !== undefined
  return isSilent && state !== was.rolloutState
    ? [message('ResourceEvent.ResourceStateChanged', jobUri(key), state)]
    : told
}

function ofJobChange(key: string, now: Job, was: Job | undefined): Message[] {
  if (isFinalJob(now.state)) return now.state === was?.state ? [] : [jobEndMessage(now)]
  return [
    ...(now.state === was?.state ? [] : ofJobMove(key, now, was)),
    ...(isFurther(now, was) ? [message('JobEvent.JobProgressChanged', key, now.percent)] : []),
  ]
}

/** The registry has no word for UserIntervention; and that something goes on waiting is no news. */
function ofJobMove(key: string, now: Job, was: Job | undefined): Message[] {
  const before = was?.state ?? 'New'
  const wasWaiting = paused.includes(before)
  if (paused.includes(now.state)) {
    const isIdle = now.state === 'Pending' && (wasWaiting || before === 'New')
    return isIdle ? [] : [message('JobEvent.JobSuspended', key)]
  }
  if (now.state === 'New' || before === 'Continue') return []
  // By its schedule a job starts again and again.
  const isStart = before === 'New' || (before === 'Pending' && now.type === 'UserSpecified')
  if (isStart) return [jobStartMessage(now)]
  return wasWaiting ? [message('JobEvent.JobResumed', key)] : []
}

function isFurther(now: Work, was: Work | undefined): boolean {
  const step = (work: Work | undefined): number => Math.floor((work?.percent ?? 0) / PROGRESS_STEP)
  return step(now) > step(was)
}

function newsOf({ now, was }: Pair<Work>): readonly Message[] {
  return now?.messages.slice(was?.messages.length ?? 0) ?? []
}

/** The resource that a message of the Update registry speaks of. */
function targetOf({ MessageArgs }: Message): string | undefined {
  return MessageArgs.find((arg) => arg.startsWith(`${uris.root}/`))
}
