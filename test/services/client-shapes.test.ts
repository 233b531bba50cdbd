import { describe, expect, test } from 'vitest'
import { succeed } from '../../src/lib/result.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { FetchRequest } from '../../src/transfer/fetcher.ts'
import { expectSuccess, expectTask, NEW, NIC_1, nicImage, OLD } from '../support/client-shapes.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { push } from '../support/multipart.ts'
import { LONG_MS } from '../support/updates.ts'

const action = (name: string) => uris.action(uris.updateService, `UpdateService.${name}`)
const versionOf = async ({ get }: TestEmulator) => (await get(NIC_1))['Version']
const JSON_TYPE = { 'content-type': 'application/json' }

describe('SimpleUpdate as it is asked for by', () => {
  const http = { href: 'http://192.0.2.7/nic.tar' }
  test.each<[string, string, Partial<Pick<FetchRequest, 'username' | 'password'>> & { href: string }]>([
    ['sushy', '{"ImageURI": "http://192.0.2.7/nic.tar", "TransferProtocol": "HTTP"}', http],
    [
      'sushy, for targets',
      `{"ImageURI": "http://192.0.2.7/nic.tar", "TransferProtocol": "HTTP", "Targets": ["${NIC_1}"]}`,
      http,
    ],
    [
      'Ansible, with update_creds',
      `{"ImageURI": "http://192.0.2.7/nic.tar", "TransferProtocol": "HTTP", "Targets": ["${NIC_1}"], "Username": "operator", "Password": "supersecretpwd", "@Redfish.OperationApplyTime": "Immediate"}`,
      { ...http, username: 'operator', password: 'supersecretpwd' },
    ],
    ['Tacklebox', '{"ImageURI": "http://192.0.2.7:8888/nic.tar"}', { href: 'http://192.0.2.7:8888/nic.tar' }],
    [
      'Lenovo’s script, by TFTP',
      `{"ImageURI": "tftp://192.0.2.7/fw/nic.tar", "Targets": ["${NIC_1}"], "TransferProtocol": "TFTP"}`,
      { href: 'tftp://192.0.2.7/fw/nic.tar' },
    ],
    [
      'Lenovo’s script, by SFTP',
      '{"ImageURI": "sftp://operator:supersecretpwd@192.0.2.7:2222/fw/nic.tar", "TransferProtocol": "SFTP", "@Redfish.OperationApplyTime": "Immediate"}',
      { href: 'sftp://192.0.2.7:2222/fw/nic.tar', username: 'operator', password: 'supersecretpwd' },
    ],
    [
      'Dell’s script',
      '{"ImageURI": "http://192.0.2.7/nic.tar", "TransferProtocol": "HTTP", "@Redfish.OperationApplyTime": "Immediate"}',
      http,
    ],
    [
      'libredfish, without a scheme and a leading slash',
      `{"ImageURI":"192.0.2.7/nic.tar","TransferProtocol":"HTTP","Targets":["${NIC_1.slice(1)}"]}`,
      http,
    ],
    ['gofish', '{"ForceUpdate":true,"ImageURI":"http://192.0.2.7/nic.tar","TransferProtocol":"HTTP"}', http],
    [
      'nv-redfish',
      '{"ImageURI":"http://192.0.2.7/nic.tar","Targets":[],"Stage":false,"LocalImage":false}',
      http,
    ],
    ['redfishtool', '{"ImageURI":"http://192.0.2.7/nic.tar"}', http],
  ])('%s', async (_client, body, { href, username, password }) => {
    const asked: FetchRequest[] = []
    const open = (request: FetchRequest) => {
      asked.push(request)
      const parts = async function* () {
        yield nicImage
      }
      return Promise.resolve(succeed({ fileName: 'nic.tar', sizeBytes: nicImage.length, body: parts() }))
    }
    const emulator = await startEmulator({ fetcher: { open } })
    // gofish sends the ETag of the UpdateService that it read, and not the newest.
    const headers = { ...JSON_TYPE, 'if-match': '"stale"' }
    const accepted = await emulator.send(action('SimpleUpdate'), { method: 'POST', headers, body })
    await expectTask(emulator, accepted)
    await emulator.clock.advance(LONG_MS)
    await expectSuccess(emulator, accepted)
    expect(await versionOf(emulator)).toBe(NEW)
    expect(asked.map(({ uri, username: user, password: word }) => [uri.href, user, word])).toEqual([
      [href, username, password],
    ])
  })
})

describe('gofish, which calls every request JSON', () => {
  const headers = { ...JSON_TYPE, 'if-match': '"stale"' }

  test('deletes what is staged and a task, and activates with plain strings', async () => {
    const emulator = await startEmulator()
    const { send, get, clock } = emulator
    const staged = uris.firmware(`NIC-1-${NEW}`)
    const stage = async () => {
      await push(emulator, nicImage, { Stage: true })
      await clock.advance(LONG_MS)
    }
    await stage()
    const etag = (await get(staged))['@odata.etag'] as string
    const deleted = await send(staged, { method: 'DELETE', headers: { ...JSON_TYPE, 'if-match': etag } })
    expect(deleted.status).toBe(204)
    await stage()
    const accepted = await send(action('Activate'), {
      method: 'POST',
      headers,
      body: `{"Targets":["${staged}"]}`,
    })
    await expectTask(emulator, accepted)
    await clock.advance(LONG_MS)
    await expectSuccess(emulator, accepted)
    expect(await versionOf(emulator)).toBe(NEW)
    const task = accepted.json['@odata.id'] as string
    expect((await send(task, { method: 'DELETE', headers: JSON_TYPE })).status).toBe(204)
  })

  test.each([
    ['GenerateSSHIdentityKeyPair', '{"Curve":"","KeyLength":0,"KeyType":"Ed25519"}', 204],
    ['GenerateSSHIdentityKeyPair', '{"Curve":"","KeyLength":2048,"KeyType":"RSA"}', 204],
    ['GenerateSSHIdentityKeyPair', '{"Curve":"NISTP256","KeyLength":0,"KeyType":"ECDSA"}', 204],
    ['RemoveSSHIdentityKeyPair', '{}', 204],
    // Nothing waits: Lenovo's script takes 200, too.
    ['StartUpdate', '{}', 200],
    ['StartUpdate', '', 200],
  ])('%s with %j is %i', async (name, body, status) => {
    const { send } = await startEmulator()
    expect((await send(action(name), { method: 'POST', headers, body })).status).toBe(status)
  })
})

test.each([
  ['Dell’s scripts', `${uris.manager('1')}?$select=Model`, { Model: expect.any(String) }],
  [
    'Dell’s scripts',
    `${uris.firmwareInventory}?$expand=*($levels=1)`,
    { Members: expect.arrayContaining([expect.objectContaining({ Version: OLD })]) },
  ],
  [
    'iLOrest',
    `${uris.firmwareInventory}/?$expand=.`,
    { Members: expect.arrayContaining([expect.objectContaining({ Version: OLD })]) },
  ],
  ['libredfish', `${uris.tasks}/`, { Members: [] }],
  ['Lenovo’s script', uris.remoteServerCertificates, { 'Members@odata.count': 0 }],
  [
    'Lenovo’s script',
    uris.updateService,
    {
      VerifyRemoteServerCertificate: false,
      Actions: {
        '#UpdateService.SimpleUpdate': {
          'TransferProtocol@Redfish.AllowableValues': expect.arrayContaining([
            'TFTP',
            'SFTP',
            'HTTP',
            'HTTPS',
          ]),
        },
      },
    },
  ],
  [
    'fwupd',
    NIC_1,
    { SoftwareId: expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/), Updateable: true },
  ],
])('%s finds in %s what it looks for', async (_client, url, shown) => {
  const { send } = await startEmulator()
  const { status, headers, json } = await send(url, { headers: JSON_TYPE })
  expect(status).toBe(200)
  expect(headers['etag']).toMatch(/^(W\/)?".+"$/)
  expect(json).toMatchObject(shown)
})
