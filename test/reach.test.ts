import { describe, expect, test } from 'vitest'
import { createBmc } from '../src/bmc/bmc.ts'
import { loadMachine } from '../src/bmc/mockup-folder.ts'
import {
  addressAt,
  isLoopbackAddress,
  portAt,
  reachOfFleet,
  type Resident,
  type Residents,
} from '../src/http/reach.ts'

const machine = loadMachine('rackmount')

/** BMCs in these places. */
function residents(...slots: readonly number[]): Residents {
  const all = new Map(
    slots.map((slot): [number, Resident] => [
      slot,
      { slot, bmc: createBmc(`bmc-${slot}`, machine, new Map()) },
    ]),
  )
  return {
    at: (slot) => all.get(slot),
    find: (id) => [...all.values()].find(({ bmc }) => bmc.id === id),
  }
}

describe('the address of a place', () => {
  test.each([
    ['127.1.0.1', 0, '127.1.0.1'],
    ['127.1.0.1', 254, '127.1.0.255'],
    ['127.1.0.1', 255, '127.1.1.0'],
    ['127.1.0.1', 19_999, '127.1.78.32'],
    ['127.1.255.255', 1, '127.2.0.0'],
    ['198.51.100.250', 10, '198.51.101.4'],
  ])('%s and %i make %s, which leads back to the place', (firstAddress, slot, address) => {
    expect(addressAt(firstAddress, slot)).toBe(address)
    const reach = reachOfFleet({ kinds: new Set(['address']), firstAddress }, residents(slot))
    expect(reach.atAddress(address)?.id).toBe(`bmc-${slot}`)
    expect(reach.atAddress(addressAt(firstAddress, slot + 1))).toBeUndefined()
  })

  test.each([undefined, '::1', '', '127.1'])('%s is nobody’s', (address) => {
    const reach = reachOfFleet({ kinds: new Set(['address']), firstAddress: '127.1.0.1' }, residents(0))
    expect(reach.atAddress(address)).toBeUndefined()
  })
})

test.each([
  [8_000, 0, 8_000],
  [8_000, 7, 8_007],
  [0, 7, 0],
  [undefined, 7, undefined],
])('the port of a place: %s and %i make %s', (first, slot, port) => {
  expect(portAt(first, slot)).toBe(port)
})

test.each([
  ['127.0.0.1', true],
  ['127.255.0.3', true],
  ['128.0.0.1', false],
  ['::1', false],
  [undefined, false],
])('on loopback of IPv4 is %s: %s', (address, expected) => {
  expect(isLoopbackAddress(address)).toBe(expected)
})

test.each([
  ['127.1.0.1', ['address', 'name'], true],
  ['198.51.100.1', ['address'], false],
  ['127.1.0.1', ['name', 'path'], false],
] as const)('%s by %s is for this machine alone: %s', (firstAddress, kinds, expected) => {
  const reach = reachOfFleet({ kinds: new Set(kinds), firstAddress }, residents(0))
  expect(reach.isForLoopback).toBe(expected)
})
