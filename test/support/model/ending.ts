import { findComponent, listComponents, machineMember } from '../../../src/bmc/bmc.ts'
import { stateAtRest } from '../../../src/bmc/banks.ts'
import type { Message } from '../../../src/redfish/messages/message.ts'
import { uris } from '../../../src/redfish/uris.ts'
import { jobKey } from '../../../src/tasks/job.ts'
import { action, managersOf, type Request } from './pointed.ts'
import { imageOf, pushOf, resetOf, windowOf } from './play.ts'
import { isOver } from './watch.ts'
import type { World } from './world.ts'

const MINUTE_MS = 60_000
const ROUNDS = 8

/** Brings everything to its end, by giving what is waited for or by cancelling; what has not ended then is a mistake. */
export async function end(world: World, how: 'give' | 'cancel'): Promise<void> {
  const { bmc, clock, violations } = world
  // Longer than until any window, and what the service does in it.
  await clock.advance(30 * MINUTE_MS)
  for (const text of unexplained(world)) violations.push(text)
  for (let round = 0; round < ROUNDS && unfinished(world).length > 0; round++) {
    for (const request of how === 'give' ? wishes(world) : cancellations(world)) {
      await world.send(request)
      await clock.advance(1)
    }
    await clock.advance(60 * MINUTE_MS)
  }
  await giveAll(world)
  for (const one of unfinished(world)) violations.push(`${one.name} is still ${one.state} when all is over`)
  judgeRest(world)
  await updateAll(world)
  judgeRest(world)
  for (const id of bmc.state.localImages.keys())
    await world.send({ method: 'DELETE', url: uris.localImage(id) })
  if (world.spooled() > 0) violations.push(`${world.spooled()} images stay in the spool`)
  await clock.advance(30 * 24 * 60 * MINUTE_MS)
  const { version } = bmc.state
  await clock.advance(30 * 24 * 60 * MINUTE_MS)
  if (bmc.state.version > version) violations.push('something still goes on')
}

interface Unfinished {
  readonly kind: 'task' | 'job'
  readonly key: string
  readonly name: string
  readonly state: string
  readonly parent: string | undefined
  readonly messages: readonly Message[]
}

/** Tasks, jobs and their parts that have not ended. */
function unfinished({ bmc: { state } }: World): Unfinished[] {
  const of = (
    kind: Unfinished['kind'],
    table: ReadonlyMap<
      string,
      Omit<Unfinished, 'kind' | 'key' | 'name' | 'parent'> & { readonly parent?: string }
    >,
  ): Unfinished[] =>
    [...table].flatMap(([key, record]) => {
      const { state: now, parent, messages } = record
      const isFinal = ['Completed', 'Exception', 'Cancelled'].includes(now)
      return isFinal ? [] : [{ kind, key, name: `${kind} ${key}`, state: now, parent, messages }]
    })
  return [...of('task', state.tasks), ...of('job', state.jobs)]
}

/** When nothing moves any more: what does not say what it waits for. */
export function unexplained(world: World): string[] {
  const all = unfinished(world)
  // A device that hangs, one whose turn has not come, or who waits for another that waits.
  const isExcused = world.flashing.busy().length > 0 || all.some(({ state }) => state === 'Suspended')
  const isWaiting = all.some(({ state }) => state === 'Pending' || state === 'UserIntervention')
  const isAtRest = !isExcused && all.every(({ state }) => state !== 'Running' && state !== 'Continue')
  const silent = all.flatMap(({ name, kind, key, state, messages }) => {
    if (all.some((other) => other.kind === kind && other.parent === key)) return []
    const saysSo = messages.some(({ MessageId }) => /\.(AwaitToUpdate|AwaitToActivate)$/.test(MessageId))
    const waits = ['Pending', 'UserIntervention', 'Suspended'].includes(state)
    if (waits && (saysSo || state === 'Suspended')) return []
    if (!waits && (isExcused || isWaiting)) return []
    return [`${name} is ${state} and does not say what it waits for`]
  })
  // A boot is held by those only who work meanwhile.
  return [...silent, ...(isAtRest ? booting(world) : [])]
}

/** Who has not come to the end of a reset. */
function booting({ bmc }: World): string[] {
  const systems = [...bmc.machine.systems.keys()].flatMap((uri) => {
    const power = machineMember(bmc, uri, 'PowerState')
    return power === 'On' || power === 'Off' ? [] : [`${uri} stays ${JSON.stringify(power)}`]
  })
  return [...systems, ...(bmc.state.outage === undefined ? [] : ['the manager never comes back'])]
}

/** What those who wait say that they wait for, done; and what else clients do about it. */
function wishes({ bmc, clock, flashing }: World): Request[] {
  const all = [...bmc.state.tasks.values(), ...bmc.state.jobs.values()].filter((one) => !isOver(one))
  const resets = all.flatMap(({ messages }) =>
    messages.flatMap(({ MessageId, MessageArgs: [target = '', type = ''] }) =>
      MessageId.endsWith('.ResetRequired')
        ? [[target, { method: 'POST', url: target, body: { ResetType: type } }]]
        : [],
    ),
  ) as [string, Request][]
  const suspended = [...bmc.state.jobs.values()].filter(
    (job) => job.state === 'Suspended' && job.parent === undefined,
  )
  const needsWindow = all.some(({ state }) => state === 'Pending')
  return [
    ...suspended.map((job) => action(uris.job(jobKey(job)), 'Job.Resume')),
    action(uris.updateService, 'UpdateService.StartUpdate'),
    ...(needsWindow ? [openWindow(clock.now())] : []),
    ...new Map(resets).values(),
    // A device that hangs comes back with its machine.
    ...(flashing.busy().length > 0 || needsWindow ? resetsOfAll(bmc.machine) : []),
  ]
}

function openWindow(now: number): Request {
  const body = { '@Redfish.MaintenanceWindow': windowOf(now, 0, 86_400) }
  return { method: 'PATCH', url: uris.updateService, body }
}

function cancellations({ bmc, flashing }: World): Request[] {
  const tasks = [...bmc.state.tasks.values()].filter((one) => one.parent === undefined)
  return [
    ...tasks.map(({ id }) => ({ method: 'DELETE', url: uris.task(id) }) as const),
    action(uris.jobService, 'JobService.CancelAllJobs'),
    ...(flashing.busy().length > 0 ? resetsOfAll(bmc.machine) : []),
  ]
}

function resetsOfAll(machine: World['bmc']['machine']): Request[] {
  // The manager that answers goes last.
  const others = managersOf(machine).filter((uri) => uri !== machine.manager)
  return [...machine.systems.keys(), ...others, machine.manager].map((uri) => resetOf(uri, 'ForceRestart'))
}

/** What waits unseen, behind a task that has ended: it is started, and everything is reset. */
async function giveAll(world: World): Promise<void> {
  const { bmc, clock } = world
  for (let round = 0; round < 2; round++) {
    // One after the other: a reset strikes what another set in motion.
    for (const request of [...wishes(world), ...resetsOfAll(bmc.machine)]) {
      await world.send(request)
      await clock.advance(10 * MINUTE_MS)
    }
  }
}

/** Nothing goes on: every component and every machine is at rest, and only kept images are in the spool. */
function judgeRest(world: World): void {
  const { bmc, violations } = world
  for (const component of listComponents(bmc)) {
    const { id, now } = component
    if (now.state !== stateAtRest(bmc, component)) violations.push(`${id} stays ${now.state}`)
    const runsBackup = listComponents(bmc).some((one) => one.now.boot !== undefined)
    if (now.pending !== undefined && !runsBackup) violations.push(`${id} waits for ever to be activated`)
  }
  violations.push(...booting(world))
  const kept = new Set([...bmc.state.localImages.values()].map(({ sha256 }) => sha256)).size
  if (world.spooled() !== kept) violations.push(`${world.spooled()} images in the spool, ${kept} are kept`)
  if (world.flashing.busy().length > 0) violations.push(`${world.flashing.busy().join()} is being worked on`)
}

/** A new update of every component is taken, and comes to a good end unless its device fails on purpose. */
async function updateAll(world: World): Promise<void> {
  const { bmc, clock, violations } = world
  const ids = [...bmc.machine.components.keys()]
  const isPlanned = (id: string): boolean => findComponent(bmc, id)?.behaviour.fail !== undefined
  for (const uri of bmc.machine.systems.keys()) await world.send(resetOf(uri, 'On'))
  await clock.advance(10 * MINUTE_MS)
  const before = new Map(ids.map((id) => [id, findComponent(bmc, id)?.now.version]))
  for (const id of ids) {
    await world.send({ method: 'PATCH', url: uris.firmware(id), body: { WriteProtected: false } })
    const ask = { ForceUpdate: true, Targets: [uris.firmware(id)] }
    const { status } = await world.send(pushOf(await imageOf(world, { [id]: 'newer' }), ask))
    if (status !== 202) violations.push(`an update of ${id} is answered ${status}`)
    await clock.advance(1)
  }
  await clock.advance(60 * MINUTE_MS)
  await giveAll(world)
  for (const one of unfinished(world)) violations.push(`${one.name}: the last update is still ${one.state}`)
  for (const id of ids)
    if (findComponent(bmc, id)?.now.version === before.get(id) && !isPlanned(id))
      violations.push(`${id} cannot be updated any more`)
}
