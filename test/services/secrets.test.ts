import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { AUDIT_LOG, LOG, uris } from '../../src/redfish/uris.ts'
import { logIn } from '../support/accounts.ts'
import { basic, PASSWORD, startEmulator, type TestRequest } from '../support/emulator.ts'
import { RECEIVER, recordingSink } from '../support/events.ts'
import { bundleOf } from '../support/images.ts'
import { recordingLogger } from '../support/logs.ts'
import { certificateFor } from '../support/authority.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { walk } from '../support/walk.ts'

/** Sends whatever holds a secret, and tells everything that came out. */
async function startTold() {
  const { lines, logger } = recordingLogger()
  const { sink, deliveries } = recordingSink()
  const emulator = await startEmulator({ logger, eventSink: sink })
  const answers: string[] = []
  const send = async (path: string, request: TestRequest = {}) => {
    const answer = await emulator.send(path, request)
    const { 'x-auth-token': _told, ...headers } = answer.headers
    answers.push(`${path} ${answer.status} ${JSON.stringify(headers)} ${answer.text}`)
    return answer
  }
  const post = (path: string, body: JsonObject, request: TestRequest = {}) =>
    send(path, { method: 'POST', body, ...request })
  const patch = (path: string, body: JsonObject, request: TestRequest = {}) =>
    send(path, { method: 'PATCH', body, ...request })
  const told = (): string => [...lines, ...answers, ...deliveries.map(({ body }) => body)].join('\n')
  return { emulator, lines, deliveries, send, post, patch, told }
}

type Told = Awaited<ReturnType<typeof startTold>>

async function tellPasswords({ send, post, patch }: Told): Promise<void> {
  const account = { UserName: 'user', Password: 'planted-created', RoleId: 'Operator' }
  await post(uris.accounts, account)
  await post(uris.accounts, { ...account, RoleId: 'planted-not-a-role-but-shown' })
  await post(uris.accounts, { ...account, Password: ['planted-listed'] })
  await post(uris.accounts, { ...account, Password: 'planted'.repeat(20) })
  const uri = uris.account('user')
  await patch(uri, { Password: 'planted-patched', Bogus: 1 })
  await patch(uri, { Password: { value: 'planted-nested' } })
  await patch(uri, { Password: 47_114_711 })
  const change = uris.action(uri, 'ManagerAccount.ChangePassword')
  await post(change, { NewPassword: 'planted-new', SessionAccountPassword: 'planted-wrong' })
  await post(change, { NewPassword: ['planted-typed'], SessionAccountPassword: 47_114_712 })
  await post(change, { NewPassword: 'planted-changed', SessionAccountPassword: PASSWORD })
  await post(uris.sessions, { UserName: 'user', Password: 'planted-login' }, { user: null })
  await post(uris.sessions, { UserName: 'planted-in-the-wrong-field', Password: 'user' }, { user: null })
  await post(uris.sessions, { UserName: 'user', Password: ['planted-login-list'] }, { user: null })
  await post(uris.sessions, { UserName: 'user', Password: 'x', Token: 'planted-otp' }, { user: null })
  await send(uris.updateService, { headers: { authorization: basic('user', 'planted-basic') } })
  await send(uris.updateService, { headers: { authorization: 'Bearer planted-bearer' } })
}

/** Private keys that the update service is given, rightly and wrongly, and one that it makes: a line of each. */
async function tellKeys({ emulator, post }: Told): Promise<string[]> {
  const { certificate, privateKey, authority } = await certificateFor(['update.example'])
  const text = `${certificate}${privateKey}`
  const type = { CertificateType: 'PEM' }
  const { authority: _other, ...wrong } = await certificateFor(['update.example'], authority)
  for (const collection of [uris.clientCertificates, uris.remoteServerCertificates]) {
    await post(collection, { CertificateString: text, ...type })
    await post(collection, { CertificateString: text, ...type })
    await post(collection, { CertificateString: [text], ...type })
    await post(collection, { CertificateString: privateKey, ...type })
    await post(collection, { CertificateString: `${certificate}${wrong.privateKey}`, ...type })
  }
  await post(uris.action(uris.certificateService, 'CertificateService.ReplaceCertificate'), {
    CertificateUri: { '@odata.id': uris.clientCertificate('1') },
    CertificateString: [text],
    ...type,
  })
  await post(uris.remoteServerKeys, { KeyString: privateKey, KeyType: 'SSH' })
  await post(uris.remoteServerKeys, { KeyString: [privateKey], KeyType: 'SSH' })
  const generate = uris.action(uris.updateService, 'UpdateService.GenerateSSHIdentityKeyPair')
  await post(generate, { KeyType: 'ECDSA', Curve: 'NISTP256' })
  const own = [...emulator.bmc.state.identityKeys.values()].map((key) => key.privateKey)
  const kept = [...emulator.bmc.state.clientCertificates.values()].map((one) => one.privateKey)
  expect([own, kept].map(({ length }) => length)).toEqual([1, 1])
  // The second line holds most of the secret number.
  return [...own, ...kept, privateKey, wrong.privateKey].flatMap((pem) => pem.split('\n')[2] ?? [])
}

/** Jobs that hold secrets: they are sent as they are, and shown without. */
async function tellJobs({ emulator, post, patch }: Told): Promise<void> {
  const Payload = {
    HttpOperation: 'PATCH',
    TargetUri: uris.account('user'),
    HttpHeaders: ['X-Api-Key: planted-job-header'],
    JsonBody: '{"Password": "planted-in-a-job"}',
  }
  await post(uris.jobs, { Payload })
  await post(uris.jobs, { Payload, HidePayload: true })
  const { headers } = await post(uris.jobs, {
    Payload,
    Schedule: { InitialStartTime: '2030-01-01T00:00:00Z' },
  })
  await patch(String(headers['location']), { MaxExecutionTime: 'PT1H' })
  await emulator.clock.advance(1)
  const wrong = [
    { HttpHeaders: ['Authorization: planted-job-authorization'] },
    { HttpHeaders: { 'X-Api-Key': 'planted-job-headers-object' } },
    { JsonBody: '{"Password": "planted-job-cut-off' },
    { JsonBody: { Password: 'planted-job-body-object' } },
    { TargetUri: 'https://user:planted-job-target@127.0.0.1/redfish/v1/Systems' },
  ]
  for (const members of wrong) await post(uris.jobs, { Payload: { ...Payload, ...members } })
  const login = { UserName: 'user', Password: 'planted-in-a-job' }
  const { status } = await emulator.send(uris.sessions, { method: 'POST', user: null, body: login })
  expect(status).toBe(201)
}

test('passwords, tokens, keys and the credentials of other servers come out nowhere', async () => {
  const told = await startTold()
  const { emulator, lines, deliveries, send, post, patch } = told
  const headers = [{ Authorization: 'planted-header' }, { 'X-Key': 'planted-header-key' }]
  const subscription = { Destination: RECEIVER, Protocol: 'Redfish', HttpHeaders: headers }
  const { headers: subscribed } = await post(uris.eventDestinations, subscription)
  await patch(String(subscribed['location']), { HttpHeaders: ['planted-malformed'] })
  await post(uris.eventDestinations, {
    ...subscription,
    HttpHeaders: [{ 'Bad\nName': 'planted-bad-header' }],
  })
  await post(uris.eventDestinations, { ...subscription, Destination: 'https://u:planted-in-url@127.0.0.1/' })
  await tellPasswords(told)
  await tellJobs(told)

  const { token, as, uri } = await logIn(emulator)
  await send(uris.updateService, as)
  await send(uri, as)
  await send(uri, { ...as, method: 'DELETE' })
  await send(uris.updateService, as)

  const parameters = {
    Oem: {
      Vendor: {
        Password: 'planted-image-password',
        Nested: [{ ApiKey: 'planted-api-key', Passphrase: 'planted-passphrase' }],
        ImageURI: 'https://user:planted-image-uri@127.0.0.1/image',
      },
    },
  }
  const image = await bundleOf({ 'NIC-1': '22.42.1' })
  const upload = { method: 'POST', ...multipartBody(pushParts(image, parameters)) } as const
  await send(uris.multipartPush, upload)
  await send(uris.multipartPush, {
    ...upload,
    ...multipartBody(pushParts(image, { ...parameters, Targets: ['/nowhere'] })),
  })
  await emulator.clock.advance(600_000)
  emulator.spool.create = () => Promise.reject(new Error('the disk is full'))
  await send(uris.multipartPush, upload)

  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  await post(uris.action(uris.certificateService, 'CertificateService.ReplaceCertificate'), {
    CertificateUri: { '@odata.id': uris.httpsCertificate(uris.manager('1')) },
    CertificateString: privateKey,
    CertificateType: 'PEM',
  })
  await post(uris.action(uris.certificateService, 'CertificateService.GenerateCSR'), {
    CertificateCollection: { '@odata.id': uris.httpsCertificates(uris.manager('1')) },
    CommonName: 'bmc.example',
    ChallengePassword: ['planted-challenge'],
  })

  const keyLines = await tellKeys(told)
  await walk({ send })
  for (const log of [LOG, AUDIT_LOG]) await send(uris.rawLog(uris.manager('1'), log))

  const everything = told.told()
  // Each of the places has been heard.
  expect(lines.join()).toContain('the disk is full')
  expect(deliveries.length).toBeGreaterThan(5)
  expect(everything).toContain('AccountSecurity.1.0.InvalidCredentials')
  expect(everything).toContain(uris.account('user'))
  expect(everything).toContain('JsonBody')
  const secrets = [
    '47114711',
    '47114712',
    'plantedplanted',
    token.slice(-64),
    PASSWORD_HEADER,
    privateKey.split('\n')[1] ?? '',
    ...keyLines,
  ]
  expect(secrets.filter((secret) => everything.includes(secret))).toEqual([])
  const found = [...everything.matchAll(/planted-[\w-]+/g)].map(([one]) => one)
  expect([...new Set(found)]).toEqual(['planted-not-a-role-but-shown'])
}, 60_000)

/** What Basic sends for the administrator. */
const PASSWORD_HEADER = basic('admin').replace('Basic ', '')
