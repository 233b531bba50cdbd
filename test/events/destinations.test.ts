import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LOOPBACK, parseDestinations } from '../../src/events/destinations.ts'

const may = (list: string, url: string): boolean | undefined => parseDestinations(list)?.(url)

test.each([
  [LOOPBACK, 'http://127.0.0.1/', true],
  [LOOPBACK, 'https://127.255.255.254:8443/events?x=1', true],
  [LOOPBACK, 'http://126.255.255.255/', false],
  [LOOPBACK, 'http://128.0.0.0/', false],
  [LOOPBACK, 'http://[::1]:80/', true],
  [LOOPBACK, 'http://[::2]/', false],
  [LOOPBACK, 'http://localhost/', true],
  [LOOPBACK, 'http://LOCALHOST/', true],
  [LOOPBACK, 'http://localhost.example/', false],
  [LOOPBACK, 'http://127.0.0.1.example/', false],
  [LOOPBACK, 'http://example/127.0.0.1', false],
  [LOOPBACK, 'http://0x7f.1/', true],
  [LOOPBACK, 'http://2130706433/', true],
  [LOOPBACK, 'http://[::ffff:192.168.1.1]/', false],
  [LOOPBACK, 'https://192.168.1.50/Destination1', false],
  [LOOPBACK, 'not a URL', false],
  ['', 'http://127.0.0.1/', false],
  ['192.0.2.7', 'http://192.0.2.7/', true],
  ['192.0.2.7', 'http://192.0.2.8/', false],
  ['10.0.0.0/8, receiver.example', 'http://10.255.0.1/', true],
  ['10.0.0.0/8, receiver.example', 'http://receiver.example:8080/', true],
  ['10.0.0.0/8, receiver.example', 'http://other.example/', false],
  ['fd00::/8', 'http://[fd12::1]/', true],
  ['0.0.0.0/0', 'http://8.8.8.8/', true],
  ['0.0.0.0/0', 'http://[2001:db8::1]/', false],
])('with %j, %s may be reached: %s', (list, url, expected) => {
  expect(may(list, url)).toBe(expected)
})

test.each([
  '10.0.0.0/33',
  '::/129',
  '1.2.3',
  '1.2.3.4.5',
  'http://receiver',
  '-receiver',
  'a b',
  'receiver/8',
])('%j is no list of destinations', (list) => {
  expect(parseDestinations(list)).toBeUndefined()
})

test('an address may be reached exactly where its range says so', () => {
  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
  const number = (parts: readonly number[]): number => parts.reduce((sum, part) => sum * 256 + part, 0)
  fc.assert(
    fc.property(octets, octets, fc.nat(32), (range, address, bits) => {
      const size = 2 ** (32 - bits)
      const isWithin = Math.floor(number(range) / size) === Math.floor(number(address) / size)
      expect(may(`${range.join('.')}/${bits}`, `http://${address.join('.')}/`)).toBe(isWithin)
    }),
  )
})
