import { hash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createEmulator } from '../../src/index.ts'
import { pem } from '../../src/http/certificate.ts'
import { trustOf } from '../../src/image/trust/trust.ts'
import { readTrustFiles } from '../../src/image/trust/trust-files.ts'
import { certify, createPki, derOf, makeKey, publicKeyOf, revoke, unheardOf } from '../support/pki.ts'

const { root, intermediate, signer } = createPki()
const digest = hash('sha256', 'bad firmware', 'hex')
const publicKey = publicKeyOf(makeKey('ed25519'))

function filesIn(files: Readonly<Record<string, string | Uint8Array>>) {
  return new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)]))
}

function folderOf(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'redflash-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'intermediates'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

test('a folder says whom to trust, by the names of its files', () => {
  const [pemList, derList] = [revoke(root, [intermediate]), revoke(intermediate, [signer])]
  const read = readTrustFiles(
    filesIn({
      'root.pem': root.certificate,
      'same.crt': derOf(root.certificate),
      'two.cer': certify({ name: 'One' }).certificate + certify({ name: 'Two' }).certificate,
      'intermediates/a.der': derOf(intermediate.certificate),
      'root.crl': pem('X509 CRL', Uint8Array.from(pemList).buffer),
      'other.crl': derList,
      'vendor.pub': publicKey,
      'OpenBMC.key': publicKey,
      'revoked-digests.txt': `# bad ones\n\n${digest.toUpperCase()} # the worst\r\n`,
    }),
  )
  const store = read.ok ? read.value : undefined
  expect(store?.anchors.map(({ subject }) => subject.get('CN'))).toEqual([['Root'], ['One'], ['Two']])
  expect(store?.intermediates.map(derOf)).toEqual([derOf(intermediate.certificate)])
  expect(store?.crls.map((crl) => Buffer.from(crl))).toEqual(
    [pemList, derList].map((crl) => Buffer.from(crl)),
  )
  expect(store?.keys).toEqual(
    new Map([
      ['vendor', publicKey],
      ['OpenBMC', publicKey],
    ]),
  )
  expect(store?.revokedDigests).toEqual(new Set([digest]))
})

test.each<readonly [what: string, name: string, content: string | Uint8Array, mistake: string]>([
  ['no certificate', 'a.pem', 'hello', 'no certificate'],
  ['an empty file', 'a.der', '', 'no certificate'],
  ['a certificate cut short', 'a.der', derOf(root.certificate).subarray(0, 100), 'no certificate'],
  ['a key where a certificate should be', 'a.pem', publicKey, 'no certificate'],
  ['a private key', 'a.key', makeKey('P-256'), 'private key'],
  ['a private key with its certificate', 'a.pem', root.certificate + root.key, 'private key'],
  ['a weak certificate', 'a.pem', certify({ name: 'Weak', key: makeKey('rsa-1024') }).certificate, 'weak'],
  ['a weak key', 'a.pub', publicKeyOf(makeKey('rsa-1024')), 'weak'],
  ['no key', 'a.pub', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', 'no public key'],
  ['a certificate where a key should be', 'a.pub', root.certificate, 'no public key'],
  ['no list', 'a.crl', 'hello', 'ASN.1'],
  ['a list of another kind', 'a.crl', revoke(root, [], { extensions: [unheardOf] }), 'kind'],
  ['a list that somebody else signed', 'a.crl', revoke(root, [], { signer }), 'not signed by'],
  ['a digest of another kind', 'revoked-digests.txt', `${digest}\n${digest}0`, 'line 2'],
  ['a file that says nothing', 'README', '', 'name'],
  ['a file that says nothing, in its place', 'intermediates/README', '', 'name'],
])('%s is told as a mistake', (_what, name, content, mistake) => {
  const read = readTrustFiles(filesIn({ 'root.pem': root.certificate, [name]: content }))
  expect(read).toEqual({ ok: false, problem: [expect.stringContaining(mistake)] })
  expect(read.ok ? '' : read.problem[0]).toMatch(new RegExp(`^${name}: `))
})

test('two keys of one name are told as a mistake, and all mistakes at once', () => {
  const read = readTrustFiles(filesIn({ 'a.pub': publicKey, 'a.key': publicKey, 'b.pem': '', 'c.crl': '' }))
  const named = read.ok ? [] : read.problem.map((mistake) => mistake.slice(0, mistake.indexOf(':')))
  expect(named).toEqual(['b.pem', 'c.crl', 'a'])
})

test('an emulator trusts whom the folder says', async () => {
  const trust = folderOf({
    '.hidden': 'of whatever keeps the folder',
    'root.pem': root.certificate,
    'intermediates/intermediate.pem': intermediate.certificate,
    'vendor.pub': publicKey,
    'revoked-digests.txt': digest,
  })
  await using emulator = await createEmulator({ trust, https: false })
  const [bmc] = emulator.bmcs
  if (bmc === undefined) throw new Error('there is one')
  const trusted = trustOf(bmc)
  expect(trusted.anchors.map(derOf)).toEqual([derOf(root.certificate)])
  expect(trusted.intermediates).toHaveLength(1)
  expect(trusted.keys.get('vendor')).toBe(publicKey)
  expect(trusted.revokedDigests).toEqual(new Set([digest]))
})

test('an emulator does not start with a folder that is wrong, or not there', async () => {
  const wrong = folderOf({ 'a.pem': 'hello', 'b.key': makeKey('P-256') })
  const start = createEmulator({ trust: wrong })
  await expect(start).rejects.toThrow(/a\.pem: it is no certificate\n.*b\.key: it holds a private key/)
  const missing = join(wrong, 'missing')
  await expect(createEmulator({ trust: missing })).rejects.toThrow(`trust: ${missing}: ENOENT`)
})

test('what cannot be read is told with its path, beside all other mistakes', async () => {
  const folder = folderOf({ 'a.pem': 'hello' })
  for (const name of ['sub.pem', 'intermediates/sub']) mkdirSync(join(folder, name))
  const told = await createEmulator({ trust: folder }).catch(String)
  const paths = ['sub.pem', 'intermediates/sub', 'a.pem'].map((name) => `trust: ${join(folder, name)}: `)
  for (const path of paths) expect(told).toContain(path)

  const odd = folderOf({ 'b.pem': 'hello' })
  rmdirSync(join(odd, 'intermediates'))
  writeFileSync(join(odd, 'intermediates'), '')
  const toldToo = await createEmulator({ trust: odd }).catch(String)
  for (const name of ['intermediates', 'b.pem']) expect(toldToo).toContain(`trust: ${join(odd, name)}`)
})
