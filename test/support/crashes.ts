import { expect } from 'vitest'
import type { Bmc } from '../../src/bmc/bmc.ts'
import type { JournalRecord } from '../../src/journal/journal.ts'
import { createMemoryJournal } from '../../src/journal/memory-journal.ts'
import { createMemorySpool } from '../../src/image/spool/memory-spool.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import type { TestEmulator } from './emulator.ts'

/** What was kept when the service died: at each commit of a life that went on after it. */
export interface Death {
  readonly at: number
  readonly records: readonly JournalRecord[]
}

/** Records each moment at which the service could die: after every commit from now on. What it needs must be there then. */
export function watchDeaths({ bmc, journal, clock, spool }: TestEmulator) {
  const deaths: Death[] = []
  bmc.listeners.add(() => {
    const plans = [...bmc.state.operations.values()].flatMap((operation) => operation.plans ?? [])
    for (const { sha256, fileName } of plans) {
      const image = spool.find(sha256)
      expect(image, `${fileName}, of an operation that is not over`).toBeDefined()
      void image?.discard()
    }
  })
  // The journal heard of the commit first.
  bmc.listeners.add(() => deaths.push({ at: clock.now(), records: [...journal.read()] }))
  return deaths
}

/** What a service finds that begins after that death, with these settled images on its disk. */
export async function leftBy({ at, records }: Death, images: ReadonlyMap<string, Buffer>) {
  const journal = createMemoryJournal()
  for (const record of records) journal.write(record)
  let mayRemove = false
  const spool = createMemorySpool(undefined, () => mayRemove)
  for (const [sha256, bytes] of images) {
    const entry = await spool.create(bytes.length)
    await entry.append(bytes)
    await entry.seal()
    await (await spool.settle(entry, sha256)).discard()
  }
  mayRemove = true
  return { journal, spool, clock: new VirtualClock(at) }
}

/** All that a client can have been told of work: it must stay true. */
export function toldOf({ state }: Bmc) {
  const all = [...state.tasks, ...[...state.jobs].map(([key, job]) => [`job ${key}`, job] as const)]
  return new Map(
    all.map(([key, { state: now, percent, messages, endTime }]) => [
      key,
      { now, percent, messages, endTime },
    ]),
  )
}
