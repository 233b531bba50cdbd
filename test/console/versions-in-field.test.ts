import { describe, expect, test } from 'vitest'
import { type Bmc, createBmc } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import type { ManagedDevice } from '../../src/bmc/managed-device.ts'
import type { HistoryEntry } from '../../src/bmc/state.ts'
import { versionsInField } from '../../src/console/versions-in-field.ts'
import { ourMachine } from '../support/machines.ts'
import { labDevice, runs } from '../support/managed-devices.ts'

const SECOND_MS = 1_000

/** A device that was attached at a moment, in seconds, and what its BIOS ran from which moments on. */
interface Past {
  readonly attachedAt: number
  readonly ran: readonly (readonly [version: string, from: number])[]
  /** What it is seen to run, and since when, where that is something else. */
  readonly seen?: readonly [version: string, at: number]
}

function consoleOf(devices: readonly Past[]): Bmc {
  const bmc = createBmc('1', ourMachine('console'), new Map())
  devices.forEach((past, index) => attach(bmc, String(index + 1), past))
  return bmc
}

function attach(bmc: Bmc, id: string, { attachedAt, ran, seen }: Past): void {
  const lab = labDevice(id)
  lab.facts = { ...lab.facts, firmware: lab.facts.firmware.filter((one) => one.id === 'BIOS') }
  const [version = ran.at(-1)?.[0] ?? '1', seenAt = attachedAt] = seen ?? []
  runs(lab, 'BIOS', version)
  const address = { hostName: id, userName: '', password: '' }
  const device: ManagedDevice = {
    id,
    method: 'Lab',
    address,
    facts: lab.facts,
    isReachable: true,
    attachedAt: attachedAt * SECOND_MS,
    seenAt: seenAt * SECOND_MS,
  }
  const history = ran.map(([to, from], index) => entry(to, from * SECOND_MS, ran[index - 1]?.[0] ?? '1'))
  commit(bmc, { devices: [[id, device]], history: [[`${id}-BIOS`, history]] })
}

function entry(version: string, activatedAt: number, replaced: string): HistoryEntry {
  const image = { image: 'x', releaseDate: undefined, sizeBytes: 1, sha256: undefined, since: 0 }
  return { ...image, version, activatedAt, replaced }
}

const linesOf = (bmc: Bmc): string[] =>
  versionsInField(bmc).map(
    ({ at, softwareId, version, count }) => `${at / SECOND_MS} ${softwareId} ${version}: ${count}`,
  )

describe('the versions in the field', () => {
  test('are told where they change, from the moment when devices were attached', () => {
    const bmc = consoleOf([
      { attachedAt: 10, ran: [] },
      { attachedAt: 20, ran: [['2', 30]] },
      {
        attachedAt: 20,
        ran: [
          ['2', 40],
          ['3', 50],
        ],
      },
    ])
    expect(linesOf(bmc)).toEqual([
      '10 lab-bios 1: 1',
      '20 lab-bios 1: 3',
      '30 lab-bios 1: 2',
      '30 lab-bios 2: 1',
      '40 lab-bios 1: 1',
      '40 lab-bios 2: 2',
      '50 lab-bios 2: 1',
      '50 lab-bios 3: 1',
    ])
    commit(bmc, { devices: [['2', undefined]] })
    expect(linesOf(bmc)).toEqual([
      '10 lab-bios 1: 1',
      '20 lab-bios 1: 2',
      '40 lab-bios 1: 1',
      '40 lab-bios 2: 1',
      '50 lab-bios 2: 0',
      '50 lab-bios 3: 1',
    ])
  })

  test('are told once for each second', () => {
    const bmc = consoleOf([30.1, 30.2, 31.9].map((from) => ({ attachedAt: 10, ran: [['2', from]] })))
    expect(linesOf(bmc)).toEqual([
      '10 lab-bios 1: 3',
      '30 lab-bios 1: 1',
      '30 lab-bios 2: 2',
      '31 lab-bios 1: 0',
      '31 lab-bios 2: 3',
    ])
  })

  test('follow a device that became another without the console, since it was seen', () => {
    const bmc = consoleOf([{ attachedAt: 10, ran: [['2', 20]], seen: ['1', 30] }])
    expect(linesOf(bmc).slice(-2)).toEqual(['30 lab-bios 1: 1', '30 lab-bios 2: 0'])
  })

  test('were never other than they were, though a clock was set back', () => {
    const bmc = consoleOf([{ attachedAt: 10, ran: [['2', 5]] }])
    expect(linesOf(bmc)).toEqual(['10 lab-bios 2: 1'])
  })

  test('are exact at the last of more moments than are told of', () => {
    const bmc = consoleOf(
      Array.from({ length: 500 }, (_, index) => ({ attachedAt: 0, ran: [['2', index + 1]] })),
    )
    const counts = versionsInField(bmc)
    expect(new Set(counts.map(({ at }) => at)).size).toBeLessThanOrEqual(101)
    expect(
      counts.every(
        ({ at, version, count }) => count === (version === '2' ? at / SECOND_MS : 500 - at / SECOND_MS),
      ),
    ).toBe(true)
    expect(counts.at(-1)).toMatchObject({ at: 500 * SECOND_MS, count: 500 })
  })

  test('are told at fewer moments where many change at each', () => {
    // Forty pieces of firmware, each of which changes between two versions of its own.
    const ran = (index: number): Past['ran'] =>
      Array.from({ length: 50 }, (_, turn) => [`${index}.${turn % 2}`, 1 + turn * 40 + index])
    const bmc = consoleOf(Array.from({ length: 40 }, (_, index) => ({ attachedAt: 0, ran: ran(index) })))
    expect(versionsInField(bmc).length).toBeLessThan(2_100)
  })

  test('are none where nothing is attached', () => {
    expect(versionsInField(consoleOf([]))).toEqual([])
  })
})
