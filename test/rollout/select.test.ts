import { describe, expect, test } from 'vitest'
import { messageKey, rulesOf } from '../../src/rollout/rules.ts'
import type { RolloutPlan } from '../../src/rollout/plan.ts'
import { type DeviceFacts, select, type SelectionInput } from '../../src/rollout/select.ts'
import { inOrder, waveSizes } from '../../src/rollout/waves.ts'
import { component, device, devices, IMAGE, NEW } from './devices.ts'

const web = '/redfish/v1/AggregationService/Aggregates/web'
const manager = '/redfish/v1/Managers/d-3'
const lab: readonly DeviceFacts[] = [
  device('d-1', { model: 'A', tags: ['lab', 'old'] }),
  device('d-2', { model: 'B', components: [component('d-2', { version: '1.5.0' }), component('nic')] }),
  device('d-3', { model: 'A', otherUris: [manager], tags: ['old'] }),
  device('d-4', { components: [component('d-4', { version: NEW })] }),
  device('d-5', { components: [{ ...component('d-5'), offered: undefined, softwareId: 'other' }] }),
]
const uriOf = (id: string): string => `/redfish/v1/Systems/${id}`

function selected(plan: RolloutPlan, input: Partial<SelectionInput> = {}) {
  const { chosen, skipped, unknown } = select({ plan, devices: lab, image: IMAGE, ...input })
  return {
    chosen: chosen.map(({ device: { id } }) => id),
    skipped: skipped.map(({ device: { id }, message }) => `${id} ${messageKey(message.MessageId)}`),
    unknown,
  }
}

describe('a plan is for', () => {
  const same = 'd-4 Update.UpdateSkippedSameVersion'
  const other = 'd-5 Update.UpdateNotApplicable'
  const cases: readonly (readonly [string, RolloutPlan, readonly string[], readonly string[]])[] = [
    ['all that need it, where it does not say', {}, ['d-1', 'd-2', 'd-3'], [same, other]],
    ['its targets', { Targets: [uriOf('d-1'), uriOf('d-4')] }, ['d-1'], [same]],
    ['the device of a resource that it names', { Targets: [manager] }, ['d-3'], []],
    ['the members of an aggregate', { Aggregate: web }, ['d-2', 'd-3'], []],
    ['those of one among its targets, too', { Targets: [web, uriOf('d-1')] }, ['d-1', 'd-2', 'd-3'], []],
    ['nobody that it excludes', { ExcludeTargets: [web, uriOf('d-5')] }, ['d-1'], [same]],
    ['a model', { Filter: { Models: ['A'] } }, ['d-1', 'd-3'], []],
    ['those with one of the tags', { Filter: { Tags: ['lab', 'x'] } }, ['d-1'], []],
    ['a version', { Filter: { Versions: ['1.5.0', NEW] } }, ['d-2'], [same]],
    ['versions below another', { Filter: { VersionBelow: '1.5.0' } }, ['d-1', 'd-2', 'd-3'], [other]],
    ['components by Id', { Filter: { Components: ['nic-BIOS'] } }, ['d-2'], []],
    ['components by what images call them', { Filter: { Components: ['other'] } }, [], [other]],
    ['who is in everything that it asks for', { Filter: { Models: ['A'], Tags: ['lab'] } }, ['d-1'], []],
    ['nobody, where it names only strangers', { Targets: ['/redfish/v1/Systems/x'] }, [], []],
  ]
  test.each(cases)('%s', (_name, plan, chosen, skipped) => {
    const aggregates = new Map([[web, [uriOf('d-2'), manager]]])
    expect(selected(plan, { aggregates })).toMatchObject({ chosen, skipped })
  })

  test('those that run the version already, when it is forced', () => {
    expect(selected({}, { force: true })).toMatchObject({
      chosen: ['d-1', 'd-2', 'd-3', 'd-4'],
      skipped: [other],
    })
  })

  test('components that it names or does not exclude, with what they run and will run', () => {
    const nic = component('nic').uri
    const [one] = select({ plan: { Targets: [nic] }, devices: lab, image: IMAGE }).chosen
    expect(one?.components).toEqual([{ id: 'nic-BIOS', uri: nic, from: '1.0.0', to: NEW }])
    const { chosen } = select({ plan: { ExcludeTargets: [nic] }, devices: lab, image: IMAGE })
    expect(chosen[1]?.components.map(({ id }) => id)).toEqual(['d-2-BIOS'])
  })

  test('devices only, and says what leads to none', () => {
    expect(selected({ Targets: ['/x'], ExcludeTargets: ['/y', manager] }).unknown).toEqual(['/x', '/y'])
  })
})

describe('the order is', () => {
  const { chosen } = select({
    plan: {},
    devices: [
      device('b', { name: 'web-10', components: [component('b', { version: '1.9.0' })] }),
      device('a', { name: 'web-9', components: [component('a', { version: '1.10.0' })] }),
      device('c', { name: 'db-1', components: [component('c', { version: '1.2.0' })] }),
    ],
    image: IMAGE,
  })
  test.each([
    [undefined, ['b', 'a', 'c']],
    ['Given', ['b', 'a', 'c']],
    ['Name', ['c', 'a', 'b']],
    ['Version', ['c', 'b', 'a']],
  ] as const)('by %s: %s', (by, expected) => {
    const plan = by === undefined ? {} : { Order: { By: by } }
    expect(inOrder(chosen, plan).map(({ device: { id } }) => id)).toEqual(expected)
  })

  test('by chance the same each time of a seed, and another of another; who comes later changes nothing', () => {
    const many = (count: number) => select({ plan: {}, devices: devices(count), image: IMAGE }).chosen
    const drawn = (seed: string, count = 50) =>
      inOrder(many(count), { Order: { By: 'Random', Seed: seed } }).map(({ device: { id } }) => id)
    expect(drawn('x')).toEqual(drawn('x'))
    expect(drawn('x')).not.toEqual(drawn('y'))
    expect(drawn('x').toSorted()).toEqual(
      devices(50)
        .map(({ id }) => id)
        .toSorted(),
    )
    const before = new Set(drawn('x'))
    expect(drawn('x', 60).filter((id) => before.has(id))).toEqual(drawn('x'))
  })
})

test.each([
  [undefined, 7, [7]],
  [undefined, 0, []],
  [[{ Count: 1 }, { Percent: 100 }], 7, [1, 6]],
  [[{ Count: 3 }], 7, [3, 3, 1]],
  [[{ Count: 1 }, { Percent: 25 }], 10, [1, 3, 3, 3]],
  [[{ Percent: 1 }, { Percent: 50 }], 9, [1, 5, 3]],
  [[{ Count: 10 }, { Count: 1 }], 4, [4]],
] as const)('waves of %o make of %i devices %o', (waves, total, expected) => {
  const plan: RolloutPlan = waves === undefined ? {} : { Waves: [...waves] }
  expect(waveSizes(total, rulesOf(plan, 0))).toEqual(expected)
})
