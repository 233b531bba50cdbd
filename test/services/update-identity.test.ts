import { createPublicKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { identityOf } from '../../src/update/identity.ts'
import { certificateFor } from '../support/authority.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { recordingSink, subscribe, told } from '../support/events.ts'
import { giveIdentity, sshKeys } from '../support/identity.ts'
import { messageKeys } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'

const identityAction = (name: string): string =>
  uris.action(uris.updateService, `UpdateService.${name}SSHIdentityKeyPair`)
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const post = ({ send }: TestEmulator, url: string, body: JsonObject) => send(url, { method: 'POST', body })
const patchService = ({ send }: TestEmulator, body: JsonObject) =>
  send(uris.updateService, { method: 'PATCH', body })
const link = (uri: string) => ({ '@odata.id': uri })
const memberCount = async ({ get }: TestEmulator, uri: string) => (await get(uri))['Members@odata.count']

describe('RemoteServerSSHKeys', () => {
  const trust = (emulator: TestEmulator, KeyString: string, more: JsonObject = {}) =>
    post(emulator, uris.remoteServerKeys, { KeyString, KeyType: 'SSH', ...more })
  const { line, fingerprint } = sshKeys.ed25519

  test('takes a key, and shows it with its fingerprint, its comment and its server', async () => {
    const emulator = await startEmulator()
    const answer = await trust(emulator, `  ${line} root@images\n`, {
      SSH: { RemoteServerHostName: 'images.example' },
      UserDescription: 'the lab',
    })
    const uri = uris.remoteServerKey('1')
    expect(answer).toMatchObject({ status: 201, headers: { location: uri } })
    expect(validateBody(answer.json)).toEqual([])
    const { '@odata.etag': _, ...shown } = await emulator.get(uri)
    expect(answer.json).toEqual(shown)
    expect(shown).toMatchObject({
      KeyString: `${line} root@images`,
      KeyType: 'SSH',
      SSH: { Fingerprint: fingerprint, Comment: 'root@images', RemoteServerHostName: 'images.example' },
      UserDescription: 'the lab',
    })
    expect(await emulator.get(uris.remoteServerKeys)).toMatchObject({ Members: [link(uri)] })
  })

  test.each(Object.entries(sshKeys))('knows keys of %s as OpenSSH does', async (_type, key) => {
    const { json } = await trust(await startEmulator(), key.line)
    expect(json).toMatchObject({ KeyString: key.line, SSH: { Fingerprint: key.fingerprint } })
  })

  test('takes the format of RFC 4716, and shows the key as OpenSSH writes it', async () => {
    const [type = '', base64 = ''] = sshKeys.ecdsa256.line.split(' ')
    const lines = base64.match(/.{1,70}/g) ?? []
    const text = ['---- BEGIN SSH2 PUBLIC KEY ----', 'Comment: "of the \\', 'lab"', ...lines]
    const { json } = await trust(
      await startEmulator(),
      [...text, '---- END SSH2 PUBLIC KEY ----'].join('\r\n'),
    )
    expect(json).toMatchObject({
      KeyString: `${type} ${base64} of the lab`,
      SSH: { Fingerprint: sshKeys.ecdsa256.fingerprint, Comment: 'of the lab' },
    })
  })

  const [, base64 = ''] = line.split(' ')
  const ecdsa = Buffer.from(sshKeys.ecdsa256.line.split(' ')[1] ?? '', 'base64')
  const offCurve = Buffer.from(ecdsa)
    .fill(1, ecdsa.length - 1)
    .toString('base64')
  test.each([
    ['what is no key', 'hello'],
    ['an empty text', ''],
    ['two keys', `${line}\n${sshKeys.rsa.line}`],
    ['a line of known_hosts', `images.example ${line}`],
    ['a private key', `-----BEGIN OPENSSH PRIVATE KEY-----\n${base64}\n-----END OPENSSH PRIVATE KEY-----`],
    ['a key that is cut', line.slice(0, -8)],
    ['a key with another field behind it', `${line}AAAAAA==`],
    ['a key with what is no base64 in it', line.replace('IGe1', 'IG.e1')],
    ['a key under the name of another type', `ssh-rsa ${base64}`],
    ['a point that is not on its curve', `ecdsa-sha2-nistp256 ${offCurve}`],
    ['a DSA key', 'ssh-dss AAAAB3NzaC1kc3MAAAAB'],
    ['more than any key has', `${line} ${'x'.repeat(16_384)}`],
  ])('refuses %s, and repeats none of it', async (_what, text) => {
    const emulator = await startEmulator()
    const answer = await trust(emulator, text)
    expect(answer.status).toBe(400)
    expect(messageKeys(answer.json)).toEqual(['PropertyValueFormatError'])
    expect(answer.text).not.toContain(text.slice(-30) || 'nothing')
    expect(await memberCount(emulator, uris.remoteServerKeys)).toBe(0)
  })

  test('tells all that is wrong with a request at once', async () => {
    const emulator = await startEmulator()
    const wrong = await post(emulator, uris.remoteServerKeys, {
      KeyString: 'hello',
      KeyType: 'NVMeoF',
      SSH: { RemoteServerHostName: 'two words' },
      UserDescription: 7,
      Bogus: true,
    })
    expect(messageKeys(wrong.json).toSorted()).toEqual([
      'PropertyUnknown',
      'PropertyValueFormatError',
      'PropertyValueFormatError',
      'PropertyValueNotInList',
      'PropertyValueTypeError',
    ])
    expect(messageKeys((await post(emulator, uris.remoteServerKeys, {})).json)).toEqual([
      'PropertyMissing',
      'PropertyMissing',
    ])
  })

  test('takes the same key for another server, and not twice for one', async () => {
    const emulator = await startEmulator()
    const at = (RemoteServerHostName: string) => trust(emulator, line, { SSH: { RemoteServerHostName } })
    expect((await trust(emulator, line)).status).toBe(201)
    expect((await at('one.example')).status).toBe(201)
    expect((await at('two.example')).status).toBe(201)
    for (const again of [await trust(emulator, `${line} named`), await at('ONE.example')]) {
      expect(again.status).toBe(400)
      expect(messageKeys(again.json)).toEqual(['ResourceAlreadyExists'])
    }
  })

  test('lets its description be changed and removed, and nothing else', async () => {
    const emulator = await startEmulator()
    const { headers } = await trust(emulator, line)
    const uri = String(headers['location'])
    const patch = (body: JsonObject) => emulator.send(uri, { method: 'PATCH', body })
    expect((await patch({ UserDescription: 'mine' })).json).toMatchObject({ UserDescription: 'mine' })
    expect(messageKeys((await patch({ KeyString: sshKeys.rsa.line })).json)).toEqual(['PropertyNotWritable'])
    expect((await patch({ UserDescription: null })).json).toMatchObject({
      UserDescription: null,
      KeyString: line,
    })
  })

  test('holds 32 keys, and gives the place of one that is deleted to another', async () => {
    const emulator = await startEmulator()
    const add = (number: number) =>
      trust(emulator, line, { SSH: { RemoteServerHostName: `server-${number}` } })
    for (let number = 1; number <= 32; number++) expect((await add(number)).status).toBe(201)
    const full = await add(33)
    expect(full.status).toBe(503)
    expect(messageKeys(full.json)).toEqual(['CreateLimitReachedForResource'])

    const uri = uris.remoteServerKey('7')
    expect((await emulator.send(uri, { method: 'DELETE' })).status).toBe(204)
    expect((await emulator.send(uri)).status).toBe(404)
    expect((await add(33)).headers['location']).toBe(uris.remoteServerKey('33'))
  })
})

describe('the SSH identity', () => {
  const generate = (emulator: TestEmulator, body: JsonObject) =>
    post(emulator, identityAction('Generate'), body)

  test.each<[JsonObject, string, JsonObject]>([
    [{ KeyType: 'RSA', KeyLength: 2048 }, 'ssh-rsa', { modulusLength: 2048 }],
    [{ KeyType: 'RSA', KeyLength: 3072 }, 'ssh-rsa', { modulusLength: 3072 }],
    [{ KeyType: 'ECDSA', Curve: 'NISTP256' }, 'ecdsa-sha2-nistp256', { namedCurve: 'prime256v1' }],
    [{ KeyType: 'ECDSA', Curve: 'NISTP384' }, 'ecdsa-sha2-nistp384', { namedCurve: 'secp384r1' }],
    [{ KeyType: 'ECDSA', Curve: 'NISTP521' }, 'ecdsa-sha2-nistp521', { namedCurve: 'secp521r1' }],
    [{ KeyType: 'Ed25519' }, 'ssh-ed25519', {}],
    // gofish sends every parameter.
    [{ KeyType: 'Ed25519', KeyLength: 0, Curve: '' }, 'ssh-ed25519', {}],
    [{ KeyType: 'ECDSA', KeyLength: 0, Curve: 'NISTP256' }, 'ecdsa-sha2-nistp256', {}],
  ])('is made as %j asks for', async (parameters, type, details) => {
    const emulator = await startEmulator()
    expect((await generate(emulator, parameters)).status).toBe(204)
    const shown = await emulator.get(uris.identityKey('1'))
    expect(validateBody(shown)).toEqual([])
    expect(textOf(shown['KeyString']).split(' ')[0]).toBe(type)
    const { sshKey } = identityOf(emulator.bmc)
    expect(sshKey?.asymmetricKeyDetails).toMatchObject(details)
    // What is shown is the public half of what is used, as who trusts it reads it.
    const trusted = await post(emulator, uris.remoteServerKeys, {
      KeyString: textOf(shown['KeyString']),
      KeyType: 'SSH',
    })
    expect(trusted.json['SSH']).toEqual(shown['SSH'])
    const { n, x, y } = sshKey ? createPublicKey(sshKey).export({ format: 'jwk' }) : {}
    const blob = Buffer.from(textOf(shown['KeyString']).split(' ')[1] ?? '', 'base64')
    const numbers = [n, x, y].flatMap((one) => (one === undefined ? [] : [Buffer.from(one, 'base64url')]))
    expect(numbers.map((number) => blob.includes(number))).toEqual(numbers.map(() => true))
    expect(numbers).not.toEqual([])
  })

  test.each<[JsonObject, string[]]>([
    [{}, ['ActionParameterMissing']],
    [{ KeyType: '', KeyLength: 0, Curve: '' }, ['ActionParameterMissing']],
    [{ KeyType: 'DSA' }, ['ActionParameterValueNotInList']],
    [{ KeyType: 'RSA' }, ['ActionParameterMissing']],
    [{ KeyType: 'RSA', KeyLength: 1024 }, ['ActionParameterValueNotInList']],
    [{ KeyType: 'RSA', KeyLength: 2048, Curve: 'NISTP256' }, ['ActionParameterNotSupported']],
    [{ KeyType: 'RSA', Curve: 'NISTP256' }, ['ActionParameterMissing', 'ActionParameterNotSupported']],
    [{ KeyType: 'ECDSA' }, ['ActionParameterMissing']],
    [{ KeyType: 'ECDSA', Curve: 'NISTK163' }, ['ActionParameterValueNotInList']],
    [{ KeyType: 'ECDSA', Curve: 'constructor' }, ['ActionParameterValueNotInList']],
    [
      { KeyType: 'Ed25519', KeyLength: 2048, Curve: 'NISTP256' },
      Array(2).fill('ActionParameterNotSupported'),
    ],
    [{ KeyType: 'DSA', KeyLength: 7, Curve: 'x' }, Array(3).fill('ActionParameterValueNotInList')],
    [{ KeyType: 'Ed25519', Comment: 'x' }, ['ActionParameterUnknown']],
    [{ KeyType: 7, KeyLength: 'x' }, Array(2).fill('ActionParameterValueTypeError')],
  ])('is not made of %j', async (parameters, mistakes) => {
    const emulator = await startEmulator()
    const answer = await generate(emulator, parameters)
    expect(answer.status).toBe(400)
    expect(messageKeys(answer.json)).toEqual(mistakes)
    expect((await emulator.send(uris.identityKey('1'))).status).toBe(404)
  })

  test('is linked while it is there, gives way to a new one, and can be removed', async () => {
    const emulator = await startEmulator()
    const shown = async () => (await emulator.get(uris.updateService))['PublicIdentitySSHKey']
    const keyString = async () => (await emulator.get(uris.identityKey('1')))['KeyString']
    expect(await shown()).toBeUndefined()
    await generate(emulator, { KeyType: 'Ed25519' })
    expect(await shown()).toEqual(link(uris.identityKey('1')))
    const first = await keyString()
    await generate(emulator, { KeyType: 'Ed25519' })
    expect(await shown()).toEqual(link(uris.identityKey('1')))
    expect(await keyString()).not.toBe(first)
    const removed = [1, 2].map(() => post(emulator, identityAction('Remove'), {}))
    expect((await Promise.all(removed)).map(({ status }) => status)).toEqual([204, 204])
    expect(await shown()).toBeUndefined()
    expect((await emulator.send(uris.identityKey('1'))).status).toBe(404)
    expect(identityOf(emulator.bmc).sshKey).toBeUndefined()
  })

  test('is not there for clients to change or delete in other ways', async () => {
    const emulator = await startEmulator()
    await generate(emulator, { KeyType: 'Ed25519' })
    const { status, headers } = await emulator.send(uris.identityKey('1'), { method: 'DELETE' })
    expect([status, headers['allow']]).toEqual([405, 'GET, HEAD'])
  })

  test('is described by ActionInfo as by the actions, and what they list is what is taken', async () => {
    const emulator = await startEmulator()
    const { Actions: actions } = await emulator.get(uris.updateService)
    const action = (actions as JsonObject)['#UpdateService.GenerateSSHIdentityKeyPair'] as JsonObject
    const info = await emulator.get(textOf(action['@Redfish.ActionInfo']))
    expect(validateBody(info)).toEqual([])
    const listed = (info['Parameters'] as readonly JsonObject[]).map((one) => {
      const values = (one['AllowableValues'] ?? one['AllowableNumbers']) as readonly string[]
      return [textOf(one['Name']), values] as const
    })
    expect(Object.fromEntries(listed)).toEqual({
      KeyType: action['KeyType@Redfish.AllowableValues'],
      KeyLength: action['KeyLength@Redfish.AllowableNumbers'],
      Curve: action['Curve@Redfish.AllowableValues'],
    })
    const { KeyType = [], KeyLength = [], Curve = [] } = Object.fromEntries(listed)
    const more: Readonly<Record<string, JsonObject[]>> = {
      RSA: KeyLength.filter((bits) => bits !== '4096').map((bits) => ({ KeyLength: Number(bits) })),
      ECDSA: Curve.map((one) => ({ Curve: one })),
    }
    for (const type of KeyType)
      for (const others of more[type] ?? [{}])
        expect((await generate(emulator, { KeyType: type, ...others })).status).toBe(204)

    const remove = (actions as JsonObject)['#UpdateService.RemoveSSHIdentityKeyPair'] as JsonObject
    expect(await emulator.get(textOf(remove['@Redfish.ActionInfo']))).toMatchObject({ Parameters: [] })
  })
})

describe('what the UpdateService needs of image servers', () => {
  test('is nothing at first, and what it holds once it is to verify', async () => {
    const emulator = await startEmulator()
    const switches = ['VerifyRemoteServerCertificate', 'VerifyRemoteServerSSHKey'] as const
    const { certificate, privateKey, authority } = await certificateFor(['update.example'])
    const chain = { CertificateString: `${certificate}${authority.certificate}`, CertificateType: 'PEMchain' }
    await post(emulator, uris.remoteServerCertificates, chain)
    await post(emulator, uris.remoteServerKeys, {
      KeyString: sshKeys.rsa.line,
      KeyType: 'SSH',
      SSH: { RemoteServerHostName: 'images.example' },
    })
    const service = await emulator.get(uris.updateService)
    expect(switches.map((name) => service[name])).toEqual([false, false])
    expect(identityOf(emulator.bmc)).toEqual({
      trustedCertificates: undefined,
      clientCertificate: undefined,
      trustedHostKeys: undefined,
      sshKey: undefined,
    })

    const certificates = await patchService(emulator, { VerifyRemoteServerCertificate: true })
    expect(switches.map((name) => certificates.json[name])).toEqual([true, false])
    expect(identityOf(emulator.bmc)).toMatchObject({
      trustedCertificates: [certificate.trim(), authority.certificate.trim()],
      trustedHostKeys: undefined,
    })
    const keys = await patchService(emulator, {
      VerifyRemoteServerSSHKey: true,
      VerifyRemoteServerCertificate: false,
    })
    expect(switches.map((name) => keys.json[name])).toEqual([false, true])
    expect(identityOf(emulator.bmc)).toMatchObject({
      trustedCertificates: undefined,
      trustedHostKeys: [{ publicKey: sshKeys.rsa.line, host: 'images.example' }],
    })

    const own = { CertificateString: `${certificate}${privateKey}`, CertificateType: 'PEM' }
    await post(emulator, uris.clientCertificates, own)
    expect(identityOf(emulator.bmc).clientCertificate).toMatchObject({ certificate })
  })

  test('presents the newest of its certificates', async () => {
    const emulator = await startEmulator()
    const [old, next] = await Promise.all([certificateFor(['old']), certificateFor(['new'])])
    for (const { certificate, privateKey } of [old, next]) {
      const body = { CertificateString: `${certificate}${privateKey}`, CertificateType: 'PEM' }
      await post(emulator, uris.clientCertificates, body)
      const presented = { certificate, privateKey: privateKey.trim() }
      expect(identityOf(emulator.bmc).clientCertificate).toEqual(presented)
    }
  })

  test('trusts nobody where it is to verify and holds nothing', async () => {
    const emulator = await startEmulator()
    await patchService(emulator, { VerifyRemoteServerCertificate: true, VerifyRemoteServerSSHKey: true })
    expect(identityOf(emulator.bmc)).toMatchObject({ trustedCertificates: [], trustedHostKeys: [] })
  })
})

test('whoever listens is told what comes and what goes', async () => {
  const { sink, records } = recordingSink()
  const emulator = await startEmulator({ eventSink: sink })
  await subscribe(emulator)
  await giveIdentity(emulator)
  await emulator.send(uris.remoteServerKey('1'), { method: 'DELETE' })
  await emulator.send(uris.remoteServerCertificate('1'), { method: 'DELETE' })
  await emulator.send(uris.clientCertificate('1'), { method: 'DELETE' })
  await post(emulator, identityAction('Remove'), {})
  await emulator.clock.advance(1_000)
  const news = records().map(told)
  const places = [
    'RemoteServerSSHKeys/1',
    'RemoteServerCertificates/1',
    'ClientCertificates/1',
    'PublicIdentitySSHKey/1',
  ]
  for (const place of places) {
    expect(news.filter((one) => one.endsWith(place))).toEqual([
      `ResourceEvent.ResourceCreated ${place}`,
      `ResourceEvent.ResourceRemoved ${place}`,
    ])
  }
  // It is linked, and then no longer.
  expect(news.filter((one) => one === 'ResourceEvent.ResourceChanged v1/UpdateService')).toHaveLength(2)
})
