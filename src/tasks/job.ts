import type { Job, JobState } from '../bmc/state.ts'
import { type Message, message, worstSeverity } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { PartBegin } from './kind.ts'
import { endOfWhole, type Phase } from './phase.ts'
import { told } from './progress.ts'
import type { Ending, WorkProgress } from './work.ts'

const active: readonly JobState[] = ['Running', 'Pending', 'Suspended', 'UserIntervention', 'Continue']
const endings: readonly Ending['state'][] = ['Completed', 'Exception', 'Cancelled']

/** What work does, as the state of a job; one that is being cancelled has no state of its own. */
const states: Readonly<Record<Exclude<Phase, 'cancelling'>, JobState>> = {
  running: 'Running',
  continuing: 'Continue',
  held: 'Suspended',
  queued: 'Running',
  user: 'UserIntervention',
  condition: 'Pending',
}

/** What its work does, as far as its state says it. */
export function phaseOfJob({ state }: Job): Phase {
  const phases = Object.keys(states) as (keyof typeof states)[] // it has no others
  return phases.find((phase) => states[phase] === state) ?? 'running'
}

export function isFinalJob(state: JobState): boolean {
  return endings.some((one) => one === state)
}

/** A step that has not begun. */
export function newStep(
  { id: parent, type, actor, group }: Job,
  name: string,
  { number, percent, now }: PartBegin,
): Job {
  return {
    id: String(number),
    parent,
    name,
    type,
    state: 'New',
    percent,
    messages: [],
    createdAt: now,
    startTime: undefined,
    endTime: undefined,
    actor,
    group,
  }
}

/** The job after some progress: percent never goes back, messages are added. */
export function progressedJob(job: Job, phase: Phase, progress: WorkProgress): Job {
  const now = told(job, progress)
  if (phase === 'cancelling') return now.isCancelling === true ? now : { ...now, isCancelling: true }
  return moved(now, states[phase])
}

/** The job at its end: as bad as what its work and its steps came to. */
export function endedJob(job: Job, steps: readonly Job[], { state }: Ending, now: number): Job {
  const bySteps = endOfWhole(steps.flatMap((step) => endings.filter((one) => one === step.state)))
  const final = [state, bySteps].includes('Exception') ? 'Exception' : state === 'Completed' ? bySteps : state
  const percent = final === 'Completed' ? 100 : job.percent
  return { ...moved(job, final), percent, endTime: now }
}

/** How a job that has ended did. */
export function endingOfJob({ state }: Job): Ending {
  const ending = endings.find((one) => one === state) ?? 'Exception'
  return { state: ending, status: ending === 'Exception' ? 500 : 200 }
}

function moved(job: Job, state: JobState): Job {
  if (state === job.state) return job
  // Whatever has not ended may do anything but begin again.
  if (isFinalJob(job.state) || ![...active, ...endings].includes(state)) {
    throw new Error(`job ${jobKey(job)} cannot go from ${job.state} to ${state}`)
  }
  return { ...job, state }
}

/** How it is found among jobs, and how events name it. */
export function jobKey({ id, parent }: Pick<Job, 'id' | 'parent'>): string {
  return parent === undefined ? id : `${parent}/${id}`
}

export function jobUri(key: string): string {
  const [id = '', step] = key.split('/')
  return step === undefined ? uris.job(id) : uris.step(id, step)
}

/**
 * What a job tells of its steps (DSP2062, messages): of their news what is to be seen there, and the resets that they
 * wait for, told when none does anything else any more: one reset may serve several steps.
 */
export function toldOfSteps(
  job: Job,
  { news, waited }: { readonly news: readonly Message[]; readonly waited: () => readonly Message[] },
  isExposed: (one: Message) => boolean,
): readonly Message[] {
  const exposed = news.filter((one) => !isReset(one) && isExposed(one))
  if (job.state !== 'UserIntervention') return exposed
  const known = new Set(job.messages.filter(isReset).map(argsOf))
  const resets = new Map(
    waited()
      .filter(isReset)
      .map((one) => [argsOf(one), one]),
  )
  return [...exposed, ...[...resets].flatMap(([args, one]) => (known.has(args) ? [] : [one]))]
}

function isReset({ MessageId }: Message): boolean {
  return /^Base\.[\d.]+\.ResetRequired$/.test(MessageId)
}

function argsOf({ MessageArgs }: Message): string {
  return JSON.stringify(MessageArgs)
}

export function jobStartMessage(job: Job): Message {
  return message('JobEvent.JobStarted', jobKey(job))
}

/** The event that tells of a job's end. */
export function jobEndMessage(job: Job): Message {
  const key = jobKey(job)
  if (job.state === 'Cancelled') return message('JobEvent.JobCancelled', key)
  return jobStatus(job) === 'OK'
    ? message('JobEvent.JobCompletedOK', key)
    : message('JobEvent.JobCompletedException', key)
}

/** JobStatus: the worst severity of its messages. */
export function jobStatus({ state, messages }: Job): string {
  return state === 'Exception' ? 'Critical' : worstSeverity(messages)
}
