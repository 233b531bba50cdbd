import type { JsonObject } from '../redfish/resource.ts'
import { referencePath } from '../redfish/uris.ts'
import { type Errand, patientGet, pause } from './errand.ts'
import { errorText, type ReadMessage, readMessages } from './message-reading.ts'
import type { ClientAnswer } from './redfish-client.ts'

/** States of tasks after which nothing more happens; some services never come back from the last two. */
const finalTaskStates = new Set(['Completed', 'Exception', 'Cancelled', 'Killed', 'Interrupted', 'Suspended'])
const finalJobStates = new Set(['Completed', 'Exception', 'Cancelled'])

/** A Task, its monitor or a Job, as it was last seen. */
export interface Seen {
  /** Where to look next; absent where there is nothing to look at. */
  readonly path: string | undefined
  readonly answer: ClientAnswer
  readonly state: string | undefined
  readonly isJob: boolean
  readonly messages: readonly ReadMessage[]
  /** How many of the messages have been acted upon. */
  readonly heeded: number
  readonly isOver: boolean
}

/** What an operation's answer shows of it: the Task where there is one in its body, else the monitor. */
export function seenIn(accepted: ClientAnswer): Seen {
  const { body, location } = accepted
  const id = body['@odata.id']
  const path = typeof id === 'string' && stateOf(body) !== undefined ? referencePath(id) : location
  return seenAt(path, accepted)
}

/** Where to look next: an operation that became a job goes on there. */
export function nextPath({ isOver, isJob, messages, path }: Seen): string | undefined {
  const job = messages.find(({ key }) => key === 'OperationTransitionedToJob')?.args[0]
  return isOver && !isJob && job !== undefined ? job : path
}

/** Polls until it is over, or waits for somebody as `isHalt` says; a task that turns into a job is followed there. */
export async function follow(errand: Errand, from: Seen, isHalt: (seen: Seen) => boolean): Promise<Seen> {
  const told = new Set(from.messages.slice(0, from.heeded).map(keyOf))
  for (let seen = from; ;) {
    show(errand, seen, told)
    const path = nextPath(seen)
    if (path === undefined || (path === seen.path && (seen.isOver || isHalt(seen)))) return seen
    await pause(errand, seen.answer)
    const answer = await patientGet(errand, path)
    if (answer.status === 404) throw new Error(`${path} is gone before the update ended`)
    if (answer.status === 401 || answer.status === 403) throw new Error(errorText(answer.status, answer.body))
    seen = seenAt(path, answer, path === seen.path ? seen.heeded : 0)
  }
}

/** What an answer at this path shows. */
export function seenAt(path: string | undefined, answer: ClientAnswer, heeded = 0): Seen {
  const { body, status } = answer
  const state = stateOf(body)
  const isJob = 'JobState' in body
  const isFinal = state !== undefined && (isJob ? finalJobStates : finalTaskStates).has(state)
  // A monitor's last answer is that of the operation, which has no state.
  const isOver = isFinal || (status !== 202 && state === undefined)
  return { path, answer, state, isJob, messages: readMessages(body), heeded, isOver }
}

/** Shows what is new: a job begins with what its task has told. */
function show({ watcher }: Errand, { state, answer, messages }: Seen, told: Set<string>): void {
  for (const message of messages) {
    const key = keyOf(message)
    if (!told.has(key)) watcher.said(message)
    told.add(key)
  }
  const percent = answer.body['PercentComplete']
  watcher.progressed(state ?? '', typeof percent === 'number' ? percent : undefined)
}

function keyOf({ id, args }: ReadMessage): string {
  return JSON.stringify([id, ...args])
}

function stateOf(body: JsonObject): string | undefined {
  const state = body['TaskState'] ?? body['JobState']
  return typeof state === 'string' ? state : undefined
}
