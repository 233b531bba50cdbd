import { createBmc } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import { byOwner, keep, restore } from '../../src/bmc/keeping.ts'
import type { Machine } from '../../src/bmc/machine.ts'
import type { DeliveryRetryPolicy } from '../../src/bmc/subscription.ts'
import type { EventSink } from '../../src/events/event-sink.ts'
import { Events } from '../../src/events/events.ts'
import { keptFirst } from '../../src/http/kept.ts'
import type { Journal, JournalRecord } from '../../src/journal/journal.ts'
import { createMemoryJournal } from '../../src/journal/memory-journal.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import type { ToldEvent } from './events.ts'

/** What a receiver does with an event: it may have taken it without anybody knowing. */
export type Mood = 'takes' | 'refuses' | 'hangs' | 'takes and hangs'

/** Nobody waits longer for an answer. */
const NO_ANSWER_MS = 10_000
const THINGS = '/redfish/v1/Things/'

/** One who is told, in all lives of the service. */
interface Receiver {
  readonly policy: DeliveryRetryPolicy
  mood: Mood
  /** The numbers of the things that it was told of, in each life. */
  readonly told: number[][]
}

/** What survives the service. */
interface World {
  readonly machine: Machine
  readonly receivers: ReadonlyMap<string, Receiver>
  /** What was in the journal when it was last flushed. */
  disk: readonly JournalRecord[]
  /** Each name of an event, and what it told of. */
  readonly names: Map<string, string>
  readonly mistakes: string[]
}

type Life = Awaited<ReturnType<typeof live>>

/** A service that dies and begins again, with a subscriber of each policy. */
export async function eventLives(machine: Machine, policies: readonly DeliveryRetryPolicy[]) {
  const receivers = new Map(
    policies.map((policy): readonly [string, Receiver] => [
      `http://${policy.toLowerCase()}/`,
      { policy, mood: 'takes', told: [[]] },
    ]),
  )
  const world: World = { machine, receivers, disk: [], names: new Map(), mistakes: [] }
  let life = live(world, new VirtualClock())
  commit(life.bmc, { settings: { deliveryRetryAttempts: 1 } })
  for (const [destination, { policy }] of receivers) subscribe(life, destination, policy)
  life.journal.flush()
  let things = 0
  const receiver = (index: number): Receiver | undefined => [...receivers.values()][index]
  return {
    world,
    get life(): Life {
      return life
    },
    /** Something happens that everybody is to be told of. */
    happen: (): void => {
      const uri = `${THINGS}${++things}`
      commit(life.bmc, { overlays: [[uri, { Name: uri }]] })
    },
    setMood: (index: number, mood: Mood): void => {
      const one = receiver(index)
      if (one) one.mood = mood
    },
    pass: (ms: number): Promise<void> => life.clock.advance(ms),
    /** As at the end of a turn of the event loop. */
    flush: (): void => life.journal.flush(),
    boot: (): void => startBoot(life),
    endBoot: (): void => endBoot(life),
    suspend: (index: number): void => {
      const id = String(index + 1)
      if (life.bmc.state.subscriptions.has(id)) life.events.suspend(life.bmc, id)
    },
    resume: (index: number): void => resume(life, String(index + 1)),
    /** The service dies with what it has not flushed, and begins again. */
    die: (): void => {
      life.kill()
      for (const { told } of receivers.values()) told.push([])
      life = live(world, new VirtualClock(life.clock.now()))
    },
    /** Everything comes to its end. */
    settle: async (): Promise<void> => {
      for (const one of receivers.values()) one.mood = 'takes'
      endBoot(life)
      // Whoever hangs is done by then.
      await life.clock.advance(NO_ANSWER_MS)
      for (const id of life.bmc.state.subscriptions.keys()) resume(life, id)
      await life.clock.advance(2 * 3_600_000)
      life.journal.flush()
    },
    /** The numbers of all things that are kept. */
    things: (): number[] =>
      [...life.bmc.state.overlays.keys()].map(thingOf).filter((one) => one !== undefined),
  }
}

/** One life of the service, with what is on the disk. */
function live(world: World, clock: VirtualClock) {
  const bmc = createBmc('1', world.machine, new Map())
  let isDead = false
  const journal = journalOn(world, () => !isDead)
  const sink: EventSink = {
    deliver: async ({ destination, body, signal }) => {
      const receiver = world.receivers.get(destination)
      if (receiver === undefined || isDead) return false
      const { mood, told } = receiver
      examine(world, JSON.parse(body) as ToldEvent)
      if (mood === 'takes' || mood === 'takes and hangs') told.at(-1)?.push(...thingsIn(body))
      if (mood === 'hangs' || mood === 'takes and hangs') await clock.sleep(NO_ANSWER_MS, signal)
      return mood === 'takes'
    },
    close: async () => {},
  }
  const events = new Events({
    clock,
    journal,
    sink: keptFirst(sink, journal),
    destinations: () => true,
    directory: { typeOf: () => undefined, show: () => undefined },
    failed: (error) => void world.mistakes.push(String(error)),
  })
  const records = byOwner(journal).get(bmc.id) ?? []
  restore(bmc, records)
  keep(bmc, journal)
  events.takeUp(bmc, records)
  const kill = (): void => {
    isDead = true
  }
  const one = { bmc, journal, clock, events, kill }
  // As every reset that was under way begins again.
  if (bmc.state.resets.size > 0) startBoot(one)
  return one
}

function journalOn(world: World, isAlive: () => boolean): Journal {
  const memory = createMemoryJournal()
  for (const record of world.disk) memory.write(record)
  return {
    ...memory,
    flush: () => {
      if (isAlive()) world.disk = [...memory.read()]
    },
  }
}

function subscribe({ events, bmc }: Life, destination: string, retryPolicy: DeliveryRetryPolicy): void {
  events.subscribe(bmc, {
    destination,
    retryPolicy,
    owner: undefined,
    backupDestinations: [],
    context: null,
    filter: {},
    includeOrigin: false,
    verifyCertificate: false,
    httpHeaders: {},
    heartbeatMinutes: undefined,
  })
}

function startBoot({ bmc }: Life): void {
  const { manager, outage } = bmc.machine
  const boot = { leadsToSetup: false, statesReached: 0 }
  commit(bmc, { resets: [[manager, { type: 'ForceRestart', wasOff: false, boot }]] })
  commit(bmc, { outage: outage.kind })
}

function endBoot({ bmc }: Life): void {
  if (bmc.state.outage === undefined) return
  commit(bmc, { outage: undefined })
  commit(bmc, { resets: [[bmc.machine.manager, undefined]] })
}

function resume({ bmc, events }: Life, id: string): void {
  if (bmc.state.subscriptions.get(id)?.suspended !== undefined) events.resume(bmc, id)
}

/** What leaves must be on the disk, and a name must mean one thing only. */
function examine({ disk, names, mistakes }: World, { Events: records }: ToldEvent): void {
  for (const { EventId, MessageId, OriginOfCondition } of records) {
    const uri = OriginOfCondition['@odata.id']
    if (thingOf(uri) !== undefined && !disk.some(({ key }) => key === uri)) {
      mistakes.push(`${uri} was told and not kept`)
    }
    const meaning = `${MessageId} ${uri}`
    if ((names.get(EventId) ?? meaning) !== meaning) mistakes.push(`${EventId} is told of two things`)
    names.set(EventId, meaning)
  }
}

function thingsIn(body: string): number[] {
  const { Events: records } = JSON.parse(body) as ToldEvent
  return records
    .map(({ OriginOfCondition }) => thingOf(OriginOfCondition['@odata.id']))
    .filter((one) => one !== undefined)
}

function thingOf(uri: string): number | undefined {
  return uri.startsWith(THINGS) ? Number(uri.slice(THINGS.length)) : undefined
}
