import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'

const manager = uris.manager('1')
const uri = uris.networkProtocol(manager)

const patch = ({ send }: TestEmulator, body: JsonObject, user = 'admin') =>
  send(uri, { method: 'PATCH', body, user })

async function servers(emulator: TestEmulator): Promise<unknown> {
  const { NTP } = (await emulator.get(uri)) as { readonly NTP: { readonly NTPServers: unknown } }
  return NTP.NTPServers
}

describe('ManagerNetworkProtocol', () => {
  test('hangs on the manager that serves Redfish, and on no other', async () => {
    const { get } = await startEmulator({ machine: 'bladed' })
    expect(await get(uris.manager('EnclosureManager'))).toMatchObject({
      NetworkProtocol: { '@odata.id': uris.networkProtocol(uris.manager('EnclosureManager')) },
    })
    expect(await get(uris.manager('Blade1BMC'))).not.toHaveProperty('NetworkProtocol')
  })

  test('of a manager beside it is not there', async () => {
    const { send } = await startEmulator({ machine: 'bladed' })
    const beside = uris.networkProtocol(uris.manager('Blade1BMC'))
    expect((await send(beside)).status).toBe(404)
    const body = { SSDP: { ProtocolEnabled: true } }
    expect((await send(beside, { method: 'PATCH', body })).status).toBe(404)
  })

  test('goes by the names of the management port, and says what is not served', async () => {
    const { get } = await startEmulator()
    expect(await get(uri)).toMatchObject({
      HostName: 'rack07-18-bmc',
      FQDN: 'rack07-18-bmc.lab.example',
      HTTP: { ProtocolEnabled: false, Port: null },
      HTTPS: { ProtocolEnabled: false, Certificates: { '@odata.id': uris.httpsCertificates(manager) } },
      SSDP: { ProtocolEnabled: false, Port: 1900 },
      NTP: { ProtocolEnabled: false, Port: 123 },
    })
  })

  test('takes switches, and answers as it is then', async () => {
    const emulator = await startEmulator()
    const body = { SSDP: { ProtocolEnabled: true }, NTP: { ProtocolEnabled: true } }
    const answer = await patch(emulator, body)
    expect(answer.status).toBe(200)
    expect(answer.json).toMatchObject(body)
    expect(await emulator.get(uri)).toEqual(answer.json)
  })

  test.each<[string, (string | null | object)[], string[]]>([
    ['another list replaces', ['c'], ['c']],
    ['null removes', [null, 'y'], ['y']],
    ['an empty object keeps', [{}, 'y'], ['a', 'y']],
    ['what is shorter cuts off', [{}], ['a']],
    ['what is longer adds', [{}, {}, 'c'], ['a', 'b', 'c']],
    ['nothing empties', [], []],
  ])('in NTPServers %s', async (_rule, requested, expected) => {
    const emulator = await startEmulator()
    await patch(emulator, { NTP: { NTPServers: ['a', 'b'] } })
    expect(await servers(emulator)).toEqual(['a', 'b'])
    const { status } = await patch(emulator, { NTP: { NTPServers: requested as JsonObject[] } })
    expect(status).toBe(200)
    expect(await servers(emulator)).toEqual(expected)
  })

  test.each<[string, JsonObject, string]>([
    ['a port', { HTTPS: { Port: 443 } }, 'PropertyNotWritable'],
    ['a switch that is none', { SSDP: { ProtocolEnabled: 'yes' } }, 'PropertyValueTypeError'],
    ['a server that is no name', { NTP: { NTPServers: [1] } }, 'PropertyValueTypeError'],
    ['servers that are no list', { NTP: { NTPServers: 'a' } }, 'PropertyValueTypeError'],
    ['something unknown', { NTP: { Stratum: 1 } }, 'PropertyUnknown'],
  ])('refuses %s and changes nothing', async (_what, body, key) => {
    const emulator = await startEmulator()
    const before = await emulator.get(uri)
    const { status, json } = await patch(emulator, body)
    expect(status).toBe(400)
    expect(messageKeys(json)).toContain(key)
    expect(await emulator.get(uri)).toEqual(before)
  })

  test('is changed by who configures the manager only', async () => {
    const emulator = await startEmulator()
    expect((await patch(emulator, { SSDP: { ProtocolEnabled: true } }, 'reader')).status).toBe(403)
  })
})
