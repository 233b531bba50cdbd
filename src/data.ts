import type { Bmc } from './bmc/bmc.ts'
import { byOwner, keep, restore } from './bmc/keeping.ts'
import type { Operation, PartReached, PlannedImage } from './bmc/operation.ts'
import type { LocalImage } from './bmc/local-image.ts'
import type { RolloutPart } from './bmc/state.ts'
import type { Config } from './config.ts'
import { imageOfPart } from './console/rollouts/record.ts'
import type { Fleet, Member, Place } from './fleet/fleet.ts'
import { isKept } from './http/kept.ts'
import type { Keeping } from './image/spool/file-spool.ts'
import type { Journal, JournalRecord } from './journal/journal.ts'

/** What of the service outlives its process: the journal of every commit, and the images. */
export interface Data extends Keeping {
  readonly journal: Journal
  /** Resolves when the disk takes nothing more: the service cannot go on. */
  readonly failure: Promise<Error>
}

/** Opens the folder that the configuration names; nothing of it is loaded where it names none. */
export async function openData({ data: folder, dataSync: sync }: Config): Promise<Data | undefined> {
  if (folder === '') return undefined
  const { openSqliteJournal } = await import('./journal/sqlite-journal.ts')
  const { images } = (await import('./journal/database-file.ts')).journalFiles(folder)
  const { promise: failure, resolve: failed } = Promise.withResolvers<Error>()
  const journal = await openSqliteJournal(folder, { sync, failed })
  const mayRemove = (): boolean => isKept(journal) && journal.isOpen
  return { journal, failure, folder: images, isSynced: sync === 'full', mayRemove }
}

/** The fleet's own records: what became of it beside what the configuration makes of it, by the BMCs' Ids. */
const FLEET = ''
const MEMBERS = 'members'
const REMOVED = null

interface Restored {
  /** The BMCs of which something was kept, and that. */
  readonly restored: ReadonlyMap<Member, readonly JournalRecord[]>
  /** The images that anything kept speaks of, also that of BMCs that are not there this time. */
  readonly images: ReadonlySet<string>
}

/** Brings back which BMCs there are, what was kept of each, and keeps what becomes of them and of those that come. */
export async function keepFleet(fleet: Fleet, { journal }: Data): Promise<Restored> {
  const kept = new Map(byOwner(journal))
  for (const id of removedIn(kept.get(FLEET) ?? [])) {
    // It died before it had forgotten all of it.
    if (kept.delete(id)) journal.forget(id)
  }
  const planned = new Set([...fleet.members()].map(({ bmc }) => bmc.id))
  await bringBack(fleet, kept.get(FLEET) ?? [])
  const images = imagesOf([...kept.values()].flat())
  const restored = new Map<Member, readonly JournalRecord[]>()
  const stops = new WeakMap<Bmc, () => void>()
  for (const member of fleet.members()) {
    const records = kept.get(member.bmc.id)
    if (records !== undefined) {
      restore(member.bmc, records)
      restored.set(member, records)
    }
    stops.set(member.bmc, keep(member.bmc, journal))
  }
  // What was kept of the others is not held here.
  const absent = new Set([...kept.keys()].filter((id) => fleet.find(id) === undefined))
  const note = (key: string, value: Place | typeof REMOVED | undefined): void =>
    journal.write({ owner: FLEET, table: MEMBERS, key, value })
  fleet.onAdded((member) => {
    // It may have the name of one that was kept, and is not there any more.
    if (absent.delete(member.bmc.id)) journal.forget(member.bmc.id)
    stops.set(member.bmc, keep(member.bmc, journal))
    const { group, number, slot } = member
    note(member.bmc.id, { group, number, slot })
  })
  fleet.onRemoved(({ bmc }) => {
    // The end of its work is nobody's, least of all that of the next one with its name.
    stops.get(bmc)?.()
    // First that it is gone, then all that it was: a death in between leaves nobody without a past.
    note(bmc.id, REMOVED)
    journal.forget(bmc.id)
    if (!planned.has(bmc.id)) note(bmc.id, undefined)
  })
  return { restored, images }
}

/** First who went, so that there is a place for who came. */
async function bringBack(fleet: Fleet, records: readonly JournalRecord[]): Promise<void> {
  const changes = records.filter(({ table }) => table === MEMBERS)
  for (const { key } of changes) await fleet.remove(key)
  // What is read here is what `keepFleet` wrote.
  for (const { value } of changes) if (value !== REMOVED) await fleet.addAt(value as Place)
}

function removedIn(records: readonly JournalRecord[]): string[] {
  const members = records.filter(({ owner, table }) => owner === FLEET && table === MEMBERS)
  return members.filter(({ value }) => value === REMOVED).map(({ key }) => key)
}

/** The images that records speak of, by their SHA-256; what BMCs spoke of that are gone is forgotten. */
export function imagesOf(records: readonly JournalRecord[]): ReadonlySet<string> {
  const removed = new Set(removedIn(records))
  const over = new Set(records.filter(isOver).map(({ owner, key }) => `${owner} ${key}`))
  return new Set(records.flatMap((record) => (removed.has(record.owner) ? [] : digestsIn(record, over))))
}

/** Whether it says that a part of an operation is over. */
function isOver({ table, value }: JournalRecord): boolean {
  return table === 'reached' && (value as PartReached).at === 'over'
}

/** `over`: the parts of operations that are over, by their owners and keys. */
function digestsIn({ owner, table, key, value }: JournalRecord, over: ReadonlySet<string>): string[] {
  // What is read here is what `keep` wrote.
  if (table === 'localImages') return [(value as LocalImage).sha256]
  if (table === 'rollouts') return [imageOfPart(value as RolloutPart) ?? []].flat()
  if (table !== 'operations') return []
  const { plans = [] } = value as Operation
  // Whatever an image was for may be over a moment before its operation is.
  const isDone = ({ verified }: PlannedImage): boolean =>
    verified !== undefined &&
    verified.updates.length > 0 &&
    verified.updates.every(({ component }) => over.has(`${owner} ${key}/${component}`))
  return plans.filter((plan) => !isDone(plan)).map(({ sha256 }) => sha256)
}
