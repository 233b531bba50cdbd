import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator } from '../support/emulator.ts'
import { validateError } from '../support/schemas.ts'

const NIC_1 = uris.firmware('NIC-1')
const APPLY_TIME = 'HttpPushUriOptions/HttpPushUriApplyTime'

/** What is wrong with a body, by the members that the messages are about. */
function mistakes({ error }: JsonObject): string[] {
  const { '@Message.ExtendedInfo': messages } = error as {
    readonly '@Message.ExtendedInfo': readonly {
      readonly MessageId: string
      readonly RelatedProperties: readonly string[]
    }[]
  }
  return messages.map(
    ({ MessageId, RelatedProperties }) => `${MessageId.split('.').at(-1)} ${RelatedProperties.join()}`,
  )
}

describe('a PATCH of what belongs to HttpPushUri', () => {
  const window = '2026-01-01T05:00:00Z'
  test.each<[string, JsonObject, string[]]>([
    [
      'a target that is nowhere',
      { HttpPushUriTargets: [NIC_1, uris.firmware('None')] },
      ['ResourceMissingAtURI /HttpPushUriTargets/1'],
    ],
    [
      'a target that nothing can be put on',
      { HttpPushUriTargets: [uris.softwareInventory] },
      ['PropertyValueResourceConflict /HttpPushUriTargets/0'],
    ],
    [
      'targets that are no list',
      { HttpPushUriTargets: NIC_1 },
      ['PropertyValueTypeError /HttpPushUriTargets'],
    ],
    [
      'a target of another type',
      { HttpPushUriTargets: [1] },
      ['PropertyValueTypeError /HttpPushUriTargets/0'],
    ],
    [
      'a flag that is none',
      { HttpPushUriTargetsBusy: 'yes' },
      ['PropertyValueTypeError /HttpPushUriTargetsBusy'],
    ],
    ['the URI', { HttpPushUri: '/elsewhere' }, ['PropertyNotWritable /HttpPushUri']],
    [
      'an option that does not exist',
      { HttpPushUriOptions: { Colour: 'red' } },
      ['PropertyUnknown /HttpPushUriOptions/Colour'],
    ],
    [
      'an apply time that does not exist',
      { HttpPushUriOptions: { HttpPushUriApplyTime: { ApplyTime: 'Soon' } } },
      [`PropertyValueNotInList /${APPLY_TIME}/ApplyTime`],
    ],
    [
      'a window that is not said',
      { HttpPushUriOptions: { HttpPushUriApplyTime: { ApplyTime: 'AtMaintenanceWindowStart' } } },
      [
        `PropertyMissing /${APPLY_TIME}/MaintenanceWindowStartTime`,
        `PropertyMissing /${APPLY_TIME}/MaintenanceWindowDurationInSeconds`,
      ],
    ],
    [
      'a window that does not end, for a target that is nowhere',
      {
        HttpPushUriTargets: ['/elsewhere'],
        HttpPushUriOptions: {
          HttpPushUriApplyTime: {
            ApplyTime: 'InMaintenanceWindowOnReset',
            MaintenanceWindowStartTime: window,
          },
        },
      },
      [
        'ResourceMissingAtURI /HttpPushUriTargets/0',
        `PropertyMissing /${APPLY_TIME}/MaintenanceWindowDurationInSeconds`,
      ],
    ],
    [
      'a window that is no time',
      {
        HttpPushUriOptions: {
          HttpPushUriApplyTime: {
            MaintenanceWindowStartTime: 'soon',
            MaintenanceWindowDurationInSeconds: -1,
          },
        },
      },
      [
        `PropertyValueFormatError /${APPLY_TIME}/MaintenanceWindowStartTime`,
        `PropertyValueOutOfRange /${APPLY_TIME}/MaintenanceWindowDurationInSeconds`,
      ],
    ],
  ])('with %s is told so and changes nothing', async (_what, body, expected) => {
    const emulator = await startEmulator()
    const before = await emulator.get(uris.updateService)
    const { status, json } = await emulator.send(uris.updateService, { method: 'PATCH', body })
    expect([status, mistakes(json)]).toEqual([400, expected])
    expect(validateError(json)).toEqual([])
    expect(await emulator.get(uris.updateService)).toEqual(before)
  })
})
