import { type Bmc, findComponent } from '../../../src/bmc/bmc.ts'
import type { Change, Entries, JobState, LogEntry, TaskState } from '../../../src/bmc/state.ts'
import type { Message } from '../../../src/redfish/messages/message.ts'
import type { Clock } from '../../../src/lib/clock.ts'

type State = TaskState | JobState

interface WorkRecord {
  readonly state: State
  readonly percent: number
  readonly messages: readonly Message[]
  readonly endTime: number | undefined
  readonly parent?: string
}

const final: readonly State[] = ['Completed', 'Exception', 'Cancelled']

export function isOver({ state }: { readonly state: State }): boolean {
  return final.includes(state)
}

/** Looks at every commit of a BMC for what must never happen. */
export function watchCommits(bmc: Bmc, clock: Clock, violate: (what: string) => void): void {
  const outageBegan = { at: 0 }
  const managerBegan = new Map<string, number>()
  bmc.listeners.add((change, before) => {
    watchVersions(bmc, change, before, violate)
    watchWork('task', change.tasks, before.tasks, violate)
    watchWork('job', change.jobs, before.jobs, violate)
    if (change.outage !== undefined) outageBegan.at = clock.now()
    const { bootMs } = bmc.machine.outage
    if ('outage' in change && change.outage === undefined && before.outage !== undefined) {
      const lasted = clock.now() - outageBegan.at
      if (lasted < bootMs) violate(`the manager was back after ${lasted} ms, while it booted`)
    }
    for (const [uri, members] of change.overlays ?? []) {
      const status = members?.['Status']
      if (members?.['LastResetTime'] === undefined || status === undefined) continue
      const isStarting = JSON.stringify(status).includes('"Starting"')
      const old = new Map(before.overlays).get(uri)
      const wasStarting = JSON.stringify(old?.['Status'] ?? {}).includes('"Starting"')
      if (isStarting) managerBegan.set(uri, clock.now())
      else if (wasStarting && clock.now() - (managerBegan.get(uri) ?? 0) < bootMs)
        violate(`${uri} was up before it had booted`)
    }
  })
}

/** A version changes with an UpdateSuccessful for the component, or to its recovery image where it was damaged. */
function watchVersions(
  bmc: Bmc,
  { components = [], log = [] }: Change,
  before: Change,
  violate: (what: string) => void,
): void {
  const told = messagesOf(log)
  for (const [index, [id, now]] of components.entries()) {
    const { factory, behaviour, uri } = findComponent(bmc, id) ?? {}
    const was = before.components?.[index]?.[1] ?? factory
    if (now === undefined || was === undefined || now.version === was.version) continue
    const isUpdated = told.some(
      ({ MessageId, MessageArgs }) => MessageId.endsWith('.UpdateSuccessful') && MessageArgs[0] === uri,
    )
    const isFailed = told.some(
      ({ MessageId, MessageArgs }) =>
        /\.(ApplyFailed|ActivateFailed)$/.test(MessageId) && MessageArgs[1] === uri,
    )
    // One that begins again by itself has not failed yet.
    const beginsAgain = behaviour?.onManagerReset === 'starts-again'
    const isRecovered = now.version === behaviour?.recovery?.version && (isFailed || beginsAgain)
    if (!isUpdated && !isRecovered) violate(`${id} went from ${was.version} to ${now.version}, untold`)
  }
}

function messagesOf(log: Entries<LogEntry>): Message[] {
  return log.flatMap(([, entry]) => (entry === undefined ? [] : [entry.message]))
}

/** Percent never goes back, what was said stays said, what has ended has ended, and nothing begins again. */
function watchWork(
  kind: string,
  changes: Entries<WorkRecord> = [],
  before: Entries<WorkRecord> = [],
  violate: (what: string) => void,
): void {
  for (const [index, [key, now]] of changes.entries()) {
    const was = before[index]?.[1]
    const name = `${kind} ${key}`
    if (now === undefined || was === undefined) {
      if (now !== undefined && now.state !== 'New') violate(`${name} began as ${now.state}`)
      if (now === undefined && was !== undefined && !isOver(was))
        violate(`${name} was removed as ${was.state}`)
      continue
    }
    if (now.percent < was.percent) violate(`${name} went from ${was.percent} to ${now.percent} percent`)
    if (was.messages.some((one, place) => now.messages[place] !== one)) violate(`${name} unsaid something`)
    if (now.state === was.state) continue
    const move = `${name} went from ${was.state} to ${now.state}`
    if (isOver(was) || now.state === 'New') violate(move)
    if (was.state === 'Cancelling' && !isOver(now)) violate(move)
    if (isOver(now) !== (now.endTime !== undefined)) violate(`${move} and ended at ${now.endTime}`)
  }
}
