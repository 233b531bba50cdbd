import type { Task, TaskState } from '../bmc/state.ts'
import { type Message, message, worstSeverity } from '../redfish/messages/message.ts'

/** Legal moves between task states (Task v1_7, TaskState); a state without any is final. */
const moves: Readonly<Record<TaskState, readonly TaskState[]>> = {
  New: ['Running', 'Exception'],
  Running: ['Cancelling', 'Completed', 'Exception'],
  // A stage that was past stopping may still bring the work to its own end.
  Cancelling: ['Cancelled', 'Completed', 'Exception'],
  Completed: [],
  Exception: [],
  Cancelled: [],
}

export function isFinal(state: TaskState): boolean {
  return moves[state].length === 0
}

/** How a task ends: its state, and what its monitor answers from then on. */
export interface Ending {
  readonly state: Extract<TaskState, 'Completed' | 'Exception' | 'Cancelled'>
  readonly status: number
}

/** What may be said of a task while it runs. */
export interface TaskProgress {
  readonly state?: TaskState
  readonly percent?: number
  readonly messages?: readonly Message[]
}

/** The task after some progress: states move legally, percent never backwards, messages are added. */
export function progressed(
  task: Task,
  { state = task.state, percent = 0, messages = [] }: TaskProgress,
): Task {
  if (state !== task.state && !moves[task.state].includes(state)) {
    throw new Error(`task ${task.id} cannot go from ${task.state} to ${state}`)
  }
  return {
    ...task,
    state,
    percent: Math.max(task.percent, Math.min(100, Math.floor(percent))),
    messages: messages.length === 0 ? task.messages : [...task.messages, ...messages],
  }
}

/** The task at its end. */
export function ended(task: Task, ending: Ending, now: number): Task {
  const percent = ending.state === 'Completed' ? 100 : task.percent
  return { ...progressed(task, { state: ending.state, percent }), endTime: now, finalStatus: ending.status }
}

/** The event that tells of a task's end. */
export function endMessage(task: Task): Message {
  if (task.state === 'Exception') return message('TaskEvent.TaskAborted', task.id)
  if (task.state === 'Cancelled') return message('TaskEvent.TaskCancelled', task.id)
  const isOk = taskStatus(task) === 'OK'
  return isOk
    ? message('TaskEvent.TaskCompletedOK', task.id)
    : message('TaskEvent.TaskCompletedWarning', task.id)
}

/** TaskStatus: the worst severity of its messages, and only once it has ended (Task v1_7_4). */
export function taskStatus(task: Task): string | undefined {
  if (!isFinal(task.state)) return undefined
  if (task.state === 'Exception') return 'Critical'
  const worst = worstSeverity(task.messages)
  return task.state === 'Cancelled' && worst === 'OK' ? 'Warning' : worst
}
