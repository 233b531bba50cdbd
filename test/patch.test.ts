import { describe, expect, test } from 'vitest'
import { Type } from '../src/lib/schema.ts'
import { judgePatch, merged, type PatchOutcome, present, type Writable } from '../src/redfish/patch.ts'
import type { Json, JsonObject, Resource } from '../src/redfish/resource.ts'
import { ofSystem, onSystem, system } from './support/patch.ts'

const port: Resource = {
  '@odata.id': '/redfish/v1/Managers/1/EthernetInterfaces/1',
  '@odata.type': '#EthernetInterface.v1_12_4.EthernetInterface',
  HostName: 'bmc',
  VLAN: { VLANEnable: false, VLANId: 1 },
  StaticNameServers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
  'StaticNameServers@odata.count': 3,
  IPv4StaticAddresses: [
    { Address: '192.0.2.10', SubnetMask: '255.255.255.0', Gateway: '192.0.2.254' },
    { Address: '192.0.2.11', SubnetMask: '255.255.255.0' },
  ],
  IPv6StaticAddresses: [{ Address: '2001:db8::1', PrefixLength: 64 }],
}
const ofPort: Writable = {
  HostName: true,
  VLAN: true,
  StaticNameServers: true,
  IPv4StaticAddresses: true,
  IPv6StaticAddresses: true,
}

const bios: Resource = {
  '@odata.id': '/redfish/v1/Systems/1/Bios/Settings',
  '@odata.type': '#Bios.v1_2_3.Bios',
  Attributes: { BootMode: 'Uefi', Timeout: 5, Ratio: 0.5, Turbo: true },
  '@Redfish.SettingsApplyTime': {
    '@odata.type': '#Settings.v1_4_0.PreferredApplyTime',
    ApplyTime: 'OnReset',
    'ApplyTime@Redfish.AllowableValues': ['OnReset'],
  },
}
const ofBios: Writable = { Attributes: true, '@Redfish.SettingsApplyTime': { ApplyTime: true } }

const onPort = (body: JsonObject): PatchOutcome => judgePatch({ current: port, body, writable: ofPort })
const onBios = (body: JsonObject): PatchOutcome => judgePatch({ current: bios, body, writable: ofBios })

/** `<message key> <pointer>` of every mistake. */
function mistakes({ messages }: PatchOutcome): string[] {
  return messages.map(
    ({ MessageId, RelatedProperties }) => `${MessageId.split('.').at(-1)} ${RelatedProperties?.join()}`,
  )
}

describe('a PATCH by the facts of the published schema', () => {
  test.each<[string, JsonObject, string]>([
    ['an unknown member', { Colour: 1 }, 'PropertyUnknown /Colour'],
    ['an unknown member of an object', { Boot: { Colour: 1 } }, 'PropertyUnknown /Boot/Colour'],
    ['a name that needs escapes', { 'a/b~c': 1 }, 'PropertyUnknown /a~1b~0c'],
    ['a name of every object', { constructor: 1 }, 'PropertyUnknown /constructor'],
    ['a read-only member', { PowerState: 'Off' }, 'PropertyNotWritable /PowerState'],
    ['a member that the type has and the resource lacks', { HostName: 'x' }, 'PropertyNotWritable /HostName'],
    ['a member that this service keeps', { Boot: { BootOrder: [] } }, 'PropertyNotWritable /Boot/BootOrder'],
    [
      'an annotation that is not OData',
      { '@Redfish.Settings': {} },
      'PropertyNotWritable /@Redfish.Settings',
    ],
    ['a number for a text', { AssetTag: 5 }, 'PropertyValueTypeError /AssetTag'],
    [
      'a text for a switch',
      { LocationIndicatorActive: 'true' },
      'PropertyValueTypeError /LocationIndicatorActive',
    ],
    [
      'null for a switch',
      { LocationIndicatorActive: null },
      'PropertyValueTypeError /LocationIndicatorActive',
    ],
    ['an array for a text', { AssetTag: ['x'] }, 'PropertyValueTypeError /AssetTag'],
    ['a text for an object', { Boot: 'Pxe' }, 'PropertyValueTypeError /Boot'],
    ['null for an object', { Boot: null }, 'PropertyValueTypeError /Boot'],
    ['an array for an object', { Boot: [] }, 'PropertyValueTypeError /Boot'],
    [
      'a choice that the schema does not have',
      { Boot: { BootSourceOverrideEnabled: 'Twice' } },
      'PropertyValueNotInList /Boot/BootSourceOverrideEnabled',
    ],
    [
      'a choice of the wrong type',
      { Boot: { BootSourceOverrideEnabled: 1 } },
      'PropertyValueTypeError /Boot/BootSourceOverrideEnabled',
    ],
    [
      'null for a choice',
      { Boot: { BootSourceOverrideEnabled: null } },
      'PropertyValueTypeError /Boot/BootSourceOverrideEnabled',
    ],
    [
      'a choice that this resource does not allow',
      { Boot: { BootSourceOverrideTarget: 'Cd' } },
      'PropertyValueNotInList /Boot/BootSourceOverrideTarget',
    ],
    [
      'a text without the format',
      { Boot: { HttpBootUri: 'http://x/ y' } },
      'PropertyValueFormatError /Boot/HttpBootUri',
    ],
    [
      'a number below the range',
      { Boot: { AutomaticRetryAttempts: -1 } },
      'PropertyValueOutOfRange /Boot/AutomaticRetryAttempts',
    ],
    [
      'a fraction for an integer',
      { Boot: { AutomaticRetryAttempts: 1.5 } },
      'PropertyValueTypeError /Boot/AutomaticRetryAttempts',
    ],
  ])('refuses %s', (_what, body, mistake) => {
    expect(mistakes(onSystem(body))).toEqual([mistake])
    expect(onSystem(body).accepted).toEqual({})
  })

  test.each<[string, JsonObject, JsonObject]>([
    ['a text', { AssetTag: 'B-2' }, { AssetTag: 'B-2' }],
    ['null for a text', { AssetTag: null }, { AssetTag: null }],
    [
      'a member of an object',
      { Boot: { BootSourceOverrideTarget: 'Pxe' } },
      { Boot: { BootSourceOverrideTarget: 'Pxe' } },
    ],
    [
      'the lowest of a range',
      { Boot: { AutomaticRetryAttempts: 0 } },
      { Boot: { AutomaticRetryAttempts: 0 } },
    ],
    ['what is there already', { AssetTag: 'A-1' }, { AssetTag: 'A-1' }],
    ['nothing', {}, {}],
    ['an object without members', { Boot: {} }, {}],
    [
      'OData annotations, which it ignores',
      {
        '@odata.id': '/x',
        '@odata.etag': 1,
        'Boot@odata.type': '',
        Boot: { '@odata.type': '#x', HttpBootUri: '/a' },
      },
      { Boot: { HttpBootUri: '/a' } },
    ],
  ])('takes %s', (_what, body, accepted) => {
    expect(onSystem(body)).toEqual({ accepted, messages: [] })
  })

  test('keeps what is right beside what is wrong, and reports all that is wrong', () => {
    const outcome = onSystem({
      AssetTag: 'B-2',
      PowerState: 'Off',
      Colour: 1,
      Boot: { BootSourceOverrideEnabled: 'Once', BootSourceOverrideTarget: 'Moon' },
    })
    expect(outcome.accepted).toEqual({ AssetTag: 'B-2', Boot: { BootSourceOverrideEnabled: 'Once' } })
    expect(mistakes(outcome)).toEqual([
      'PropertyNotWritable /PowerState',
      'PropertyUnknown /Colour',
      'PropertyValueNotInList /Boot/BootSourceOverrideTarget',
    ])
  })

  test('knows ranges and patterns of schemas that a schema refers to', () => {
    expect(onPort({ VLAN: { VLANId: 4094, VLANEnable: true } }).messages).toEqual([])
    expect(mistakes(onPort({ VLAN: { VLANId: 4095 } }))).toEqual(['PropertyValueOutOfRange /VLAN/VLANId'])
    const entry = { Address: '192.0.2.x', SubnetMask: '255.0.0.0' }
    expect(mistakes(onPort({ IPv4StaticAddresses: [entry] }))).toEqual([
      'PropertyValueFormatError /IPv4StaticAddresses/0/Address',
    ])
  })

  test('lets nothing be written of a type that has no schema here', () => {
    const current = { ...system, '@odata.type': '#AcmeThing.v1_0_0.AcmeThing' }
    const outcome = judgePatch({ current, body: { AssetTag: 'x' }, writable: ofSystem })
    expect([outcome.accepted, mistakes(outcome)]).toEqual([{}, ['PropertyNotWritable /AssetTag']])
  })

  test('says nothing of a secret', () => {
    const current = { ...system, '@odata.type': '#Session.v1_8_0.Session' }
    const { messages } = judgePatch({ current, body: { Password: 4711 }, writable: { Password: true } })
    expect(messages).toHaveLength(1)
    expect(JSON.stringify(messages)).not.toContain('4711')
  })
})

describe('an array in a PATCH', () => {
  test.each<[string, Json, Json]>([
    ['is replaced', ['198.51.100.1'], ['198.51.100.1']],
    ['loses what null stands for', [null, '198.51.100.2', {}], ['198.51.100.2', '192.0.2.3']],
    ['keeps what {} stands for', [{}, '198.51.100.2', {}], ['192.0.2.1', '198.51.100.2', '192.0.2.3']],
    ['is cut off where a shorter one ends', [{}], ['192.0.2.1']],
    ['grows', [{}, {}, {}, '198.51.100.4'], ['192.0.2.1', '192.0.2.2', '192.0.2.3', '198.51.100.4']],
    ['may become empty', [], []],
  ])('%s', (_what, StaticNameServers, expected) => {
    const { accepted, messages } = onPort({ StaticNameServers })
    expect({ accepted, messages }).toEqual({ accepted: { StaticNameServers: expected }, messages: [] })
  })

  test.each<[string, JsonObject, string[]]>([
    ['that is none', { StaticNameServers: '192.0.2.1' }, ['PropertyValueTypeError /StaticNameServers']],
    ['that is null', { StaticNameServers: null }, ['PropertyValueTypeError /StaticNameServers']],
    ['that is an object', { StaticNameServers: {} }, ['PropertyValueTypeError /StaticNameServers']],
    [
      'with elements of a wrong type',
      { StaticNameServers: ['192.0.2.9', 5, ['192.0.2.1']] },
      ['PropertyValueTypeError /StaticNameServers/1', 'PropertyValueTypeError /StaticNameServers/2'],
    ],
    [
      'that keeps what is not there',
      { StaticNameServers: [{}, {}, {}, {}] },
      ['PropertyValueTypeError /StaticNameServers/3'],
    ],
    [
      'of objects with a text in it',
      { IPv4StaticAddresses: ['192.0.2.1'] },
      ['PropertyValueTypeError /IPv4StaticAddresses/0'],
    ],
    [
      'of objects with an unknown member',
      { IPv4StaticAddresses: [{ Address: '192.0.2.1', Colour: 1 }] },
      ['PropertyUnknown /IPv4StaticAddresses/0/Colour'],
    ],
    [
      'of objects with a read-only member',
      { IPv4StaticAddresses: [{ AddressOrigin: 'DHCP' }] },
      ['PropertyNotWritable /IPv4StaticAddresses/0/AddressOrigin'],
    ],
    [
      'of objects that lack what the schema wants of a new one',
      { IPv6StaticAddresses: [{}, { Address: '2001:db8::2' }] },
      ['PropertyMissing /IPv6StaticAddresses/1/PrefixLength'],
    ],
    [
      'of objects that are annotations only',
      { IPv4StaticAddresses: [{ '@odata.id': '/x' }] },
      ['PropertyValueFormatError /IPv4StaticAddresses'],
    ],
  ])('%s is refused as a whole', (_what, body, expected) => {
    expect([onPort(body).accepted, mistakes(onPort(body))]).toEqual([{}, expected])
  })

  test('changes an object in it, member by member', () => {
    const { accepted } = onPort({ IPv4StaticAddresses: [{ Address: '192.0.2.99' }, {}] })
    expect(accepted).toEqual({
      IPv4StaticAddresses: [
        { Address: '192.0.2.99', SubnetMask: '255.255.255.0', Gateway: '192.0.2.254' },
        { Address: '192.0.2.11', SubnetMask: '255.255.255.0' },
      ],
    })
  })
})

describe('an attribute that only the implementation knows', () => {
  test.each<[JsonObject, string[]]>([
    [{ BootMode: 'Legacy', Timeout: 6, Ratio: 0.25, Turbo: false }, []],
    [{ Unheard: 1 }, ['PropertyUnknown /Attributes/Unheard']],
    [{ toString: 'x' }, ['PropertyUnknown /Attributes/toString']],
    [{ BootMode: 1 }, ['PropertyValueTypeError /Attributes/BootMode']],
    [{ BootMode: null }, ['PropertyValueTypeError /Attributes/BootMode']],
    [{ Timeout: '5' }, ['PropertyValueTypeError /Attributes/Timeout']],
    [{ Timeout: 5.5 }, ['PropertyValueTypeError /Attributes/Timeout']],
    [{ Turbo: 'true' }, ['PropertyValueTypeError /Attributes/Turbo']],
    [{ Turbo: {} }, ['PropertyValueTypeError /Attributes/Turbo']],
  ])('keeps its name and its type: %j', (Attributes, expected) => {
    expect(mistakes(onBios({ Attributes }))).toEqual(expected)
  })

  test('is applied when the resource says, and at no other time', () => {
    expect(onBios({ '@Redfish.SettingsApplyTime': { ApplyTime: 'OnReset' } }).messages).toEqual([])
    expect(mistakes(onBios({ '@Redfish.SettingsApplyTime': { ApplyTime: 'Immediate' } }))).toEqual([
      'PropertyValueNotInList /@Redfish.SettingsApplyTime/ApplyTime',
    ])
  })
})

describe('a PATCH by a schema of our own', () => {
  const schema = Type.Object(
    {
      Enabled: Type.Optional(Type.Boolean()),
      Kind: Type.Optional(Type.Union([Type.Literal('A'), Type.Literal('B')])),
      Names: Type.Optional(Type.Array(Type.String(), { maxItems: 2 })),
      Inner: Type.Optional(Type.Object({ Port: Type.Optional(Type.Integer({ minimum: 1, maximum: 9 })) })),
      Headers: Type.Optional(Type.Record(Type.String(), Type.String())),
    },
    { additionalProperties: false },
  )
  const current: Resource = { ...system, Names: ['x', 'y'], Inner: { Port: 1, Fixed: 2 } }
  const judged = (body: JsonObject): PatchOutcome => judgePatch({ current, body, schema })

  test.each<[JsonObject, string[]]>([
    [{ Enabled: true, Kind: 'B', Names: [null, 'z'], Inner: { Port: 9 }, Headers: { a: 'b' } }, []],
    [{ Enabled: null }, ['PropertyValueTypeError /Enabled']],
    [{ Kind: 'C' }, ['PropertyValueNotInList /Kind']],
    [{ Names: ['a', 'b', 'c'] }, ['ArraySizeTooLong /Names']],
    [{ Inner: { Port: 10 } }, ['PropertyValueOutOfRange /Inner/Port']],
    [
      { Inner: { Fixed: 3, Colour: 1 } },
      ['PropertyNotWritable /Inner/Fixed', 'PropertyUnknown /Inner/Colour'],
    ],
    [{ Headers: { a: 1 } }, ['PropertyValueTypeError /Headers/a']],
    [{ AssetTag: 'x', HostName: 'x' }, ['PropertyNotWritable /AssetTag', 'PropertyNotWritable /HostName']],
  ])('says of %j %j', (body, expected) => {
    expect(mistakes(judged(body))).toEqual(expected)
  })

  test('hands over arrays as they are to be', () => {
    expect(judged({ Names: [{}, null] }).accepted).toEqual({ Names: ['x'] })
  })
})

describe('what a change makes of a resource', () => {
  test('merges objects, replaces arrays and counts them', () => {
    expect(merged(port, { VLAN: { VLANId: 7 }, StaticNameServers: ['192.0.2.1'] })).toEqual({
      ...port,
      VLAN: { VLANEnable: false, VLANId: 7 },
      StaticNameServers: ['192.0.2.1'],
      'StaticNameServers@odata.count': 1,
    })
  })

  test('replaces a link as a whole', () => {
    const link = { '@odata.id': '/b' }
    expect(merged({ Links: { Active: { '@odata.id': '/a' } } }, { Links: { Active: link } })).toEqual({
      Links: { Active: link },
    })
  })

  test('is offered only where the resource has the member', () => {
    const { Boot: _, AssetTag: __, ...poorer } = system
    expect(present(ofSystem, poorer)).toEqual({ LocationIndicatorActive: true })
    const { AutomaticRetryAttempts: ___, ...boot } = ofSystem['Boot'] as Writable
    expect(present(ofSystem, system)).toEqual({ ...ofSystem, Boot: boot })
    expect(present({ Boot: { StopBootOnFault: true } }, system)).toEqual({})
  })
})
