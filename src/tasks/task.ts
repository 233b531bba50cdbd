import type { Task, TaskState } from '../bmc/state.ts'
import { type Message, message, worstSeverity } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { Phase } from './phase.ts'
import { told } from './progress.ts'
import type { Ending, WorkProgress } from './work.ts'

/** Legal moves between task states (Task v1_7, TaskState); a state without any is final. */
const moves: Readonly<Record<TaskState, readonly TaskState[]>> = {
  New: ['Running', 'Pending', 'Exception'],
  Running: ['Pending', 'Cancelling', 'Completed', 'Exception', 'Cancelled'],
  Pending: ['Running', 'Cancelling', 'Completed', 'Exception', 'Cancelled'],
  // A stage that was past stopping may still bring the work to its own end.
  Cancelling: ['Cancelled', 'Completed', 'Exception'],
  Completed: [],
  Exception: [],
  Cancelled: [],
}

/** A task has one state for everything that waits. */
const states: Readonly<Record<Phase, TaskState>> = {
  running: 'Running',
  continuing: 'Running',
  held: 'Running',
  queued: 'Running',
  user: 'Pending',
  condition: 'Pending',
  cancelling: 'Cancelling',
}

/** What its work does, as far as its state says it. */
export function phaseOf({ state }: Task): Phase {
  return state === 'Pending' ? 'user' : 'running'
}

export function isFinal(state: TaskState): boolean {
  return moves[state].length === 0
}

/** The task after some progress: states move legally, percent never backwards, messages are added. */
export function progressed(task: Task, phase: Phase, progress: WorkProgress): Task {
  return moved(told(task, progress), states[phase])
}

/** The task at its end. */
export function ended(task: Task, { state, status }: Ending, now: number): Task {
  const percent = state === 'Completed' ? 100 : task.percent
  return { ...moved(task, state), percent, endTime: now, finalStatus: status }
}

/** How a task that has ended did. */
export function endingOf({ state, finalStatus }: Task): Ending {
  const isOk = state === 'Completed' || state === 'Cancelled'
  return { state: isOk ? state : 'Exception', status: finalStatus ?? (isOk ? 200 : 500) }
}

function moved(task: Task, state: TaskState): Task {
  if (state === task.state) return task
  if (!moves[task.state].includes(state)) {
    throw new Error(`task ${taskKey(task)} cannot go from ${task.state} to ${state}`)
  }
  return { ...task, state }
}

/** How it is found among tasks, and how events name it. */
export function taskKey({ id, parent }: Pick<Task, 'id' | 'parent'>): string {
  return parent === undefined ? id : `${parent}/${id}`
}

export function taskUri(key: string): string {
  const [id = '', part] = key.split('/')
  return part === undefined ? uris.task(id) : uris.subTask(id, part)
}

/** Cancelled before its end, an operation leaves no answer: its monitor is gone at once (TaskService v1_3). */
export function hasMonitor({ state, parent, isMonitorGone = false }: Task): boolean {
  return parent === undefined && state !== 'Cancelled' && !isMonitorGone
}

export function startMessage(task: Task): Message {
  return message('TaskEvent.TaskStarted', taskKey(task))
}

/** The event that tells of a task's end. */
export function endMessage(task: Task): Message {
  const key = taskKey(task)
  if (task.state === 'Exception') return message('TaskEvent.TaskAborted', key)
  if (task.state === 'Cancelled') return message('TaskEvent.TaskCancelled', key)
  const isOk = taskStatus(task) === 'OK'
  return isOk ? message('TaskEvent.TaskCompletedOK', key) : message('TaskEvent.TaskCompletedWarning', key)
}

/** TaskStatus: the worst severity of its messages, and only once it has ended (Task v1_7_4). */
export function taskStatus(task: Task): string | undefined {
  if (!isFinal(task.state)) return undefined
  if (task.state === 'Exception') return 'Critical'
  const worst = worstSeverity(task.messages)
  return task.state === 'Cancelled' && worst === 'OK' ? 'Warning' : worst
}
