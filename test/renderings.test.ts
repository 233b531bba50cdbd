import { describe, expect, test } from 'vitest'
import { type Bmc, createBmc, type Row } from '../src/bmc/bmc.ts'
import { commit } from '../src/bmc/commit.ts'
import { loadMachine } from '../src/bmc/mockup-folder.ts'
import { Renderings } from '../src/http/rendering.ts'
import type { Resource } from '../src/redfish/resource.ts'

const machine = loadMachine('rackmount')
const row: Row = { path: '/x', type: 'Chassis', view: () => undefined }

const fleetOf = (count: number): Bmc[] =>
  [...Array(count).keys()].map((number) => createBmc(String(number), machine, new Map()))

const resource = (Name: string): Resource => ({
  '@odata.id': '/x',
  '@odata.type': '#Chassis.v1_28_0.Chassis',
  Id: 'x',
  Name,
})

/** Asks for the same path of all BMCs, each of which shows what `shown` says: how many had to be rendered. */
function ask(renderings: Renderings, bmcs: readonly Bmc[], shown: (bmc: Bmc) => string): number {
  let rendered = 0
  for (const bmc of bmcs) {
    const name = shown(bmc)
    const rendering = renderings.get(bmc, '/x', row, () => {
      rendered++
      return resource(name)
    })
    const text = rendering?.body.toString() ?? '{}'
    expect(JSON.parse(text)).toEqual({ ...resource(name), '@odata.etag': rendering?.etag })
  }
  return rendered
}

describe('renderings', () => {
  test('are kept for each BMC until it commits', () => {
    const renderings = new Renderings(0)
    const bmcs = fleetOf(3)
    const [, second] = bmcs
    const id = ({ id: own }: Bmc): string => own
    expect(ask(renderings, bmcs, id)).toBe(3)
    expect(ask(renderings, bmcs, id)).toBe(0)
    if (second) commit(second, {})
    expect(ask(renderings, bmcs, id)).toBe(1)
    expect(ask(renderings, bmcs, id)).toBe(0)
  })

  test('of another BMC that has taken the name of one are not shown', () => {
    const renderings = new Renderings(0)
    expect(ask(renderings, fleetOf(1), () => 'before')).toBe(1)
    expect(ask(renderings, fleetOf(1), () => 'after')).toBe(1)
  })

  test('that are the same on many BMCs are kept once, until the last of them has another', () => {
    const renderings = new Renderings(0)
    const bmcs = fleetOf(100)
    const large = 'x'.repeat(10_000)
    ask(renderings, bmcs, () => large)
    const first = renderings.get(bmcs[0] as Bmc, '/x', row, () => undefined)
    expect(renderings.get(bmcs[99] as Bmc, '/x', row, () => undefined)).toBe(first)
    expect(renderings.bytes).toBeGreaterThan(10_000)
    expect(renderings.bytes).toBeLessThan(100 * 1_000)
    for (const bmc of bmcs) commit(bmc, {})
    ask(renderings, bmcs, () => 'small')
    expect(renderings.bytes).toBeLessThan(100 * 300 + 1_000)
    expect(renderings.bytes).toBeGreaterThan(100 * 200)
  })

  test('take no more than they may: the oldest go first', () => {
    const renderings = new Renderings(0, 100_000)
    const bmcs = fleetOf(50)
    const large = ({ id }: Bmc): string => id.padEnd(10_000)
    expect(ask(renderings, bmcs, large)).toBe(50)
    expect(renderings.bytes).toBeLessThanOrEqual(100_000)
    expect(renderings.bytes).toBeGreaterThan(80_000)
    const newest = bmcs.slice(-5)
    expect(ask(renderings, newest, large)).toBe(0)
    expect(ask(renderings, bmcs.slice(0, 5), large)).toBe(5)
  })

  test('larger than all that may be kept are shown all the same', () => {
    const renderings = new Renderings(0, 1_000)
    const bmcs = fleetOf(1)
    expect(ask(renderings, bmcs, () => 'x'.repeat(2_000))).toBe(1)
    expect(ask(renderings, bmcs, () => 'x'.repeat(2_000))).toBe(1)
    expect(renderings.bytes).toBe(0)
  })
})
