import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { machineDocument } from '../../src/bmc/bmc.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { bmcSettings } from '../../src/fleet/bmc-settings.ts'
import { makeGroups } from '../../src/fleet/machines.ts'
import { type BmcSettings, planFleet, planOf } from '../../src/fleet/plan.ts'
import { drawsOf } from '../../src/fleet/versions.ts'
import { uris } from '../../src/redfish/uris.ts'

/** What every fleet here has beside. */
const usual = { seed: 'redflash' }
const settings: BmcSettings = {
  user: bmcSettings.user.default,
  password: bmcSettings.password.default,
  machine: 'rackmount',
  profile: '',
  awaitReset: 'machine',
  startUpdate: 'machine',
  devices: '',
  speed: '1',
  trust: '',
  unsignedImages: 'machine',
}

describe('a fleet as the configuration says it', () => {
  test('has groups, each with settings of its own over those of the service', () => {
    const plan = right({
      seed: 7,
      groups: [
        { name: 'web', count: 2, machine: 'bladed', speed: 'max', user: 'root' },
        { name: 'db', count: 1, names: 'db-{01}.example' },
      ],
    })
    expect(plan.seed).toBe('7')
    expect(plan.groups.map(({ names, count }) => [names(1), count])).toEqual([
      ['web-0001', 2],
      ['db-01.example', 1],
    ])
    expect(plan.groups[0]?.settings).toEqual({ ...settings, machine: 'bladed', speed: 'max', user: 'root' })
    expect(plan.groups[1]?.settings).toEqual(settings)
  })

  test('of so many alike is one group', () => {
    const { groups } = planOf(settings, { bmcs: 500, fleet: '', ...usual })
    expect(groups).toMatchObject([{ name: 'bmc', count: 500, versions: {}, settings }])
  })

  test.each<[string, unknown, readonly string[]]>([
    ['nothing', {}, ['/groups']],
    ['no groups', { groups: [] }, ['/groups']],
    [
      'mistakes everywhere',
      { seeds: 1, groups: [{ name: 'A b', count: -1, speed: 'fast', password: '', colour: 'red' }] },
      [
        '/groups/0/colour',
        '/groups/0/count',
        '/groups/0/name',
        '/groups/0/password',
        '/groups/0/speed',
        '/seeds',
      ],
    ],
    ['two of one name', { groups: [group({ names: 'x{1}' }), group({})] }, ['/groups/1/name']],
    ['a pattern that makes no names', { groups: [group({ names: 'A{1}' })] }, ['/groups/0/names']],
    [
      'a pattern whose last name is none',
      { groups: [group({ count: 10, names: `${'a'.repeat(62)}{1}` })] },
      ['/groups/0/names'],
    ],
    ['a pattern that makes one name twice', { groups: [group({ names: 'u{1%1}' })] }, ['/groups/0/names']],
    [
      'groups with the same names',
      { groups: [group({ names: 'x{1}' }), group({ name: 'b', names: 'x{2}' })] },
      ['/groups/1/names'],
    ],
    [
      'versions without weight',
      { groups: [group({ versions: { BIOS: [{ version: '1', weight: 0 }], BMC: [] } })] },
      ['/groups/0/versions/BIOS', '/groups/0/versions/BMC'],
    ],
  ])('is refused with %s, every mistake told by its pointer', (_what, given, pointers) => {
    const planned = planFleet(given, settings, usual)
    const lines = planned.ok ? [] : planned.problem
    const told = new Set(lines.map((line) => line.slice(0, line.indexOf(':'))))
    for (const pointer of pointers) expect([...told].some((one) => one.startsWith(pointer))).toBe(true)
    for (const one of told) expect(pointers.some((pointer) => one.startsWith(pointer))).toBe(true)
  })

  test('never repeats a password', () => {
    const planned = planFleet({ groups: [{ name: 'a', count: 1, password: ['hunter2'] }] }, settings, {
      ...usual,
    })
    expect(planned.ok).toBe(false)
    expect(JSON.stringify(planned)).not.toContain('hunter2')
  })
})

test.each([
  [true, 'redflash', ['/groups/0/password']],
  [true, 'another', []],
  [false, 'redflash', []],
])('where others can come (%s) the password %s of a group is as it must be', (isOpen, password, told) => {
  const planned = planFleet(
    { groups: [group({ password })] },
    { ...settings, password: 'another' },
    { ...usual, isOpen },
  )
  expect(planned.ok ? [] : planned.problem.map((line) => line.split(':')[0])).toEqual(told)
})

test('the same seed gives the same fleet, and another seed another', async () => {
  const fleetOf = async (seed: string): Promise<unknown[]> => {
    const groups = [group({ versions: { BIOS: ['1', '2', '3'].map((version) => ({ version })) } })]
    const {
      groups: [made],
    } = await makeGroups(right({ seed, groups }))
    return Array.from({ length: 30 }, (_one, index) => {
      const bmc = made?.make(index + 1)
      return (
        bmc && [
          bmc.id,
          [...bmc.state.components],
          machineDocument(bmc, uris.root),
          machineDocument(bmc, uris.system('1')),
        ]
      )
    })
  }
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.string(), async (seed, other) => {
      fc.pre(seed !== other)
      const [one, again, different] = await Promise.all([seed, seed, other].map(fleetOf))
      expect(again).toEqual(one)
      expect(different).not.toEqual(one)
      expect(new Set(one?.map((bmc) => JSON.stringify(bmc))).size).toBe(30)
    }),
    { numRuns: 5 },
  )
})

describe('the groups of a plan', () => {
  test('are made with a machine of their own and accounts that are shared where they are the same', async () => {
    const { groups, machines, hashed } = await makeGroups(
      right({
        groups: [
          group({ speed: 10 }),
          group({ name: 'b', user: 'root' }),
          group({ name: 'c', machine: 'bladed', awaitReset: 'pending' }),
        ],
      }),
    )
    await hashed
    const [a, b, c] = groups.map(({ make }) => make(1))
    expect(machines.map(({ speed, awaitReset }) => [speed, awaitReset])).toEqual([
      [10, 'job'],
      [1, 'job'],
      [1, 'pending'],
    ])
    expect(a?.machine.resources).toBe(b?.machine.resources)
    expect(a?.state.accounts).toBe(c?.state.accounts)
    expect([...(a?.state.accounts.keys() ?? [])]).toEqual(['admin'])
    expect([...(b?.state.accounts.keys() ?? [])]).toEqual(['root'])
  })

  test('are refused all at once for machines, components and devices that are not there', async () => {
    const making = makeGroups(
      right({
        groups: [
          group({ machine: '/nowhere' }),
          group({ name: 'b', versions: { Toaster: '1' } }),
          group({ name: 'c', devices: { Toaster: { fail: { at: 'install' } } } }),
        ],
      }),
    )
    const problem = await making.then(
      () => '',
      (error: Error) => error.message,
    )
    expect(problem).toMatch(/\/groups\/0 \(a\): .*\/nowhere/)
    expect(problem).toMatch(/\/groups\/1 \(b\): .*Toaster/)
    expect(problem).toMatch(/\/groups\/2 \(c\): [^]*Toaster/)
  })

  test('of a service without a fleet are the one BMC that shows its machine’s own', async () => {
    const { groups } = await makeGroups(planOf(settings, { bmcs: 1, fleet: '', ...usual }))
    expect(groups.map(({ make }) => make(1))).toMatchObject([{ id: '1', seed: undefined }])
  })
})

describe('versions', () => {
  const machine = loadMachine('rackmount')
  const choices = [{ version: '1.0', weight: 3 }, { version: '2.0' }]
  const draw = drawsOf(machine, { BIOS: choices, 'NIC-1': '9.9' })
  const drawn = (seed: string, count = 2_000): (string | undefined)[] =>
    Array.from({ length: count }, (_one, number) => new Map(draw(seed, `bmc-${number}`)).get('BIOS')?.version)

  test('are the same of the same seed, and others of another', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (seed, other) => {
        fc.pre(seed !== other)
        expect(drawn(seed, 100)).toEqual(drawn(seed, 100))
        expect(drawn(seed, 100)).not.toEqual(drawn(other, 100))
      }),
      { numRuns: 20 },
    )
  })

  test('come as often as they weigh', () => {
    const share = drawn('seed').filter((version) => version === '1.0').length / 2_000
    expect(share).toBeGreaterThan(0.7)
    expect(share).toBeLessThan(0.8)
  })

  test('that are fixed are those of all, as one state that all share', () => {
    const states = ['a', 'b'].map((id) => new Map(draw('seed', id)).get('NIC-1'))
    expect(states[0]).toMatchObject({ version: '9.9', releaseDate: undefined, pending: undefined })
    expect(states[1]).toBe(states[0])
  })

  test('that the machine has anyway are no difference from it', () => {
    const version = machine.components.get('BIOS')?.factory.version ?? ''
    expect(drawsOf(machine, { BIOS: version })('seed', 'a')).toEqual([])
  })
})

function group(members: Readonly<Record<string, unknown>>) {
  return { name: 'a', count: 2, ...members }
}

function right(given: unknown) {
  const planned = planFleet(given, settings, usual)
  if (!planned.ok) throw new Error(planned.problem.join('\n'))
  return planned.value
}
