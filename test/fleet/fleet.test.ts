import { describe, expect, test } from 'vitest'
import { createBmc } from '../../src/bmc/bmc.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { Fleet, type Group } from '../../src/fleet/fleet.ts'

const machine = loadMachine('rackmount')
const group = (name: string, id = (number: number) => `${name}-${number}`): Group => ({
  name,
  make: (number) => createBmc(id(number), machine, new Map(), { seed: 'seed' }),
})

async function fleetOf(counts: Readonly<Record<string, number>>, capacity?: number): Promise<Fleet> {
  const fleet = new Fleet(
    Object.keys(counts).map((name) => group(name)),
    capacity,
  )
  for (const [name, count] of Object.entries(counts)) await fleet.add(name, count)
  return fleet
}

function places(fleet: Fleet): readonly (readonly [slot: number, id: string])[] {
  return [...fleet.members()].map(({ slot, bmc }) => [slot, bmc.id])
}

describe('a fleet', () => {
  test('has its BMCs by place and by name, group after group', async () => {
    const fleet = await fleetOf({ a: 2, b: 1 })
    expect(places(fleet)).toEqual([
      [0, 'a-1'],
      [1, 'a-2'],
      [2, 'b-1'],
    ])
    expect([fleet.size, fleet.at(2)?.bmc.id, fleet.find('a-2')?.slot, fleet.find('b-1')?.group]).toEqual([
      3,
      'b-1',
      1,
      'b',
    ])
    expect([fleet.at(3), fleet.at(-1), fleet.at(0.5), fleet.find('a-3')]).toEqual(Array(4).fill(undefined))
  })

  test('uses the lowest free place again, and the lowest free number of a group', async () => {
    const fleet = await fleetOf({ a: 4, b: 1 })
    for (const id of ['a-3', 'a-2']) expect(await fleet.remove(id)).toBe(true)
    expect(places(fleet).map(([slot]) => slot)).toEqual([0, 3, 4])
    await fleet.add('b')
    await fleet.add('a', 2)
    expect(places(fleet)).toEqual([
      [0, 'a-1'],
      [1, 'b-2'],
      [2, 'a-2'],
      [3, 'a-4'],
      [4, 'b-1'],
      [5, 'a-3'],
    ])
  })

  test('has each BMC once', async () => {
    const fleet = await fleetOf({ a: 1 })
    expect([await fleet.remove('a-1'), await fleet.remove('a-1'), await fleet.remove('x')]).toEqual([
      true,
      false,
      false,
    ])
    expect([fleet.size, places(fleet)]).toEqual([0, []])
  })

  test('adds all or none', async () => {
    const fleet = await fleetOf({ a: 2 }, 4)
    expect(await fleet.add('a', 3)).toEqual({ ok: false, problem: { kind: 'full', capacity: 4 } })
    expect(await fleet.add('c')).toEqual({ ok: false, problem: { kind: 'unknown-group', group: 'c' } })
    expect(fleet.size).toBe(2)
    expect((await fleet.add('a', 2)).ok).toBe(true)
  })

  test('has no two of one name', async () => {
    const names = (number: number): string => `x-${number}`
    const fleet = new Fleet([group('a', names), group('b', (number) => names(number + 1))])
    await fleet.add('a', 1)
    expect((await fleet.add('b', 1)).ok).toBe(true)
    expect(await fleet.add('a', 1)).toEqual({ ok: false, problem: { kind: 'name', id: 'x-2' } })
    expect(fleet.size).toBe(2)
    const same = new Fleet([group('a', () => 'one')])
    expect(await same.add('a', 2)).toEqual({ ok: false, problem: { kind: 'name', id: 'one' } })
  })
})

describe('whoever listens', () => {
  test('is told once the BMC can be found, and once it can be found no more', async () => {
    const fleet = await fleetOf({ a: 0 })
    const told: unknown[] = []
    fleet.onAdded(({ bmc: { id } }) => void told.push(['added', id, fleet.find(id) !== undefined]))
    fleet.onRemoved(({ bmc: { id } }) => void told.push(['removed', id, fleet.find(id) !== undefined]))
    await fleet.add('a')
    await fleet.remove('a-1')
    expect(told).toEqual([
      ['added', 'a-1', true],
      ['removed', 'a-1', false],
    ])
  })

  test('is awaited', async () => {
    const fleet = await fleetOf({ a: 0 })
    const { promise, resolve } = Promise.withResolvers<void>()
    fleet.onAdded(() => promise)
    let isAdded = false
    const adding = fleet.add('a').then(() => (isAdded = true))
    await Promise.resolve()
    expect(isAdded).toBe(false)
    resolve()
    expect(await adding).toBe(true)
  })

  test('can keep BMCs from coming: then none of them is there', async () => {
    const fleet = await fleetOf({ a: 1 })
    const gone: string[] = []
    fleet.onAdded(({ slot }) => (slot === 2 ? Promise.reject(new Error('port taken')) : undefined))
    fleet.onRemoved(({ bmc }) => void gone.push(bmc.id))
    await expect(fleet.add('a', 3)).rejects.toThrow('port taken')
    expect(places(fleet)).toEqual([[0, 'a-1']])
    expect(gone).toEqual(['a-2', 'a-3', 'a-4'])
  })
})
