import { describe, expect, test } from 'vitest'
import { createBmc } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { capacityOf, urlsOf } from '../../src/fleet/urls.ts'
import { type ReachKind, reachKinds } from '../../src/http/reach.ts'

const bmc = createBmc('bmc-0007.example', loadMachine('rackmount'), new Map())
commit(bmc, { network: { httpPort: 8006, httpsPort: undefined } })

const firstOf = (kind: ReachKind, slot = 6, firstAddress = '127.1.0.1', host = '127.0.0.1') =>
  urlsOf({ host, reach: new Set([kind]), firstAddress }, { bmc, slot, number: slot + 1, group: 'bmc' })

describe('a BMC is reached', () => {
  test.each<[ReachKind, string]>([
    ['address', 'http://127.1.0.7:8006'],
    ['name', 'http://bmc-0007.example:8006'],
    ['port', 'http://127.0.0.1:8006'],
    ['path', 'http://127.0.0.1:8006/bmc/bmc-0007.example'],
  ])('by its %s', (kind, url) => {
    expect(firstOf(kind)).toEqual([{ url, httpsUrl: undefined }])
  })

  test('in all the ways that there are', () => {
    const all = urlsOf(
      { host: '::1', reach: new Set(reachKinds), firstAddress: '127.1.0.1' },
      { bmc, slot: 0, number: 1, group: '' },
    )
    expect(all.map(({ url }) => url)).toEqual([
      'http://127.1.0.1:8006',
      'http://bmc-0007.example:8006',
      'http://[::1]:8006',
      'http://[::1]:8006/bmc/bmc-0007.example',
    ])
  })

  test.each([
    ['127.1.0.1', 255, '127.1.1.0'],
    ['127.1.0.1', 19_999, '127.1.78.32'],
    ['127.255.255.0', 254, '127.255.255.254'],
    ['192.0.2.1', 1, '192.0.2.2'],
    ['255.255.255.0', 1, '255.255.255.1'],
  ])('from %s on, in place %d at %s', (first, slot, address) => {
    expect(firstOf('address', slot, first)).toEqual([{ url: `http://${address}:8006`, httpsUrl: undefined }])
  })
})

test.each<[ReachKind[], string, number[], number]>([
  [['address'], '127.1.0.1', [8000, 8443], 100_000],
  [['address'], '127.255.255.254', [8000], 1],
  [['address'], '255.255.255.254', [8000], 1],
  [['port'], '127.1.0.1', [8000, 8443], 2_000],
  [['port'], '127.1.0.1', [0, 0], 2_000],
  [['port'], '127.1.0.1', [8000, 65_535], 1],
  [['port', 'address'], '127.255.255.253', [8000], 2],
  [['name', 'path'], '127.1.0.1', [8000], 100_000],
])('by %j from %s and %j there is room for so many', (kinds, firstAddress, ports, capacity) => {
  expect(capacityOf({ reach: new Set(kinds), firstAddress }, ports)).toBe(capacity)
})
