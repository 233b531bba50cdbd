import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hash } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { signCms, signWithKey } from '../../src/image/trust/sign.ts'
import { verifySignature } from '../../src/image/trust/verify-signature.ts'
import { createPki, type KeyKind, NOW, publicKeyOf, trusting } from '../support/pki.ts'
import { absent, PATIENCE_MS, run, works } from '../support/programs.ts'

const hasOpenssl = works('openssl', ['version'])
const content = Buffer.from('content\r\nof an image\n')
const sha256 = { hash: 'sha256', digest: hash('sha256', content, 'hex') } as const

/** A folder with the files of a public key infrastructure, and openssl at work in it. */
function filesFor(kind: KeyKind) {
  const folder = mkdtempSync(join(tmpdir(), 'redflash-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const { root, intermediate, signer } = createPki(kind)
  const write = (name: string, bytes: string | Uint8Array) => writeFileSync(join(folder, name), bytes)
  write('content', content)
  write('root.pem', root.certificate)
  write('intermediate.pem', intermediate.certificate)
  write('signer.pem', signer.certificate)
  write('signer.key', signer.key)
  write('signer.pub', publicKeyOf(signer.key))
  const openssl = (command: string) => run('openssl', command.split(' '), { cwd: folder })
  return {
    trust: trusting([root], { keys: new Map([['signer', publicKeyOf(signer.key)]]) }),
    certificates: [signer.certificate, intermediate.certificate],
    key: signer.key,
    write,
    read: (name: string) => readFileSync(join(folder, name)),
    run: openssl,
    sign: (command: string, more: string) =>
      openssl(
        `${command} -sign -binary -in content -outform DER -out signature ` +
          `-signer signer.pem -inkey signer.key -certfile intermediate.pem ${more}`,
      ),
    verify: (command: string) =>
      openssl(
        `${command} -verify -binary -inform DER -in signature -content content ` +
          `-CAfile root.pem -purpose any -attime ${NOW / 1_000}`,
      ),
  }
}

describe.skipIf(!hasOpenssl)(`openssl${absent(hasOpenssl, 'openssl')}`, { timeout: PATIENCE_MS }, () => {
  describe.each<KeyKind>(['rsa', 'P-256', 'P-384', 'P-521'])('with a key of the kind %s', (kind) => {
    test.each([
      ['of content', {}],
      ['of content, without attributes', { attributes: 'none' as const }],
      ['of content by SHA-512', { hash: 'sha512' as const }],
      ['of a digest', { signed: sha256 }],
    ])('takes our signature %s, and no other content', async (_what, more) => {
      const { write, verify, ...signing } = filesFor(kind)
      write('signature', signCms({ ...signing, signed: { content }, signingTime: NOW, ...more }))
      for (const command of ['cms', 'smime']) expect(await verify(command)).toBe(content.toString())
      write('content', 'other')
      await expect(verify('cms')).rejects.toThrow('erification fail')
    })

    test.each([
      ['cms', '-md sha256'],
      ['cms', '-md sha256 -noattr'],
      ['cms', '-md sha384'],
      ['cms', '-md sha256 -keyid'],
      ['smime', '-md sha256'],
      ['smime', '-md sha256 -noattr'],
    ])('makes signatures that we take: %s %s', async (command, more) => {
      const { sign, read, trust } = filesFor(kind)
      await sign(command, more)
      const verify = (signed: Buffer) =>
        verifySignature({ form: 'cms', bytes: read('signature'), signed: { content: signed } }, trust, NOW)
      expect(await verify(content)).toMatchObject({ ok: true, value: { name: 'Signer' } })
      expect(await verify(Buffer.from('other'))).toMatchObject({ problem: { kind: 'invalid' } })
    })

    test('agrees on bare signatures', async () => {
      const { write, read, trust, key, ...files } = filesFor(kind)
      const form = kind === 'rsa' ? 'rsa-pkcs1' : 'ecdsa'
      write('signature', signWithKey(form, { signed: { content }, key }))
      const verifying = 'dgst -sha256 -verify signer.pub -signature signature content'
      expect(await files.run(verifying)).toContain('Verified OK')
      await files.run('dgst -sha512 -sign signer.key -out signature content')
      const signature = { form, bytes: read('signature'), signed: { content }, keyName: 'signer' } as const
      expect(await verifySignature(signature, trust, NOW)).toMatchObject({ ok: true })
    })
  })

  test.each(['-1', '-2', '32'])('makes RSA-PSS signatures with salt length %s that we take', async (salt) => {
    const { sign, read, trust } = filesFor('rsa')
    await sign('cms', `-md sha256 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:${salt}`)
    const verify = (signed: Buffer) =>
      verifySignature({ form: 'cms', bytes: read('signature'), signed: { content: signed } }, trust, NOW)
    expect(await verify(content)).toMatchObject({ ok: true, value: { name: 'Signer' } })
    expect(await verify(Buffer.from('other'))).toMatchObject({ problem: { kind: 'invalid' } })
  })

  test.each([
    ['content in the signature', '-nodetach', 'apart'],
    ['SHA-1', '-md sha1', 'algorithm'],
    ['RSA-PSS of two digests', '-keyopt rsa_padding_mode:pss -keyopt rsa_mgf1_md:sha512', 'algorithm'],
  ])('makes signatures that we refuse: with %s', async (_what, more, detail) => {
    const { sign, read, trust } = filesFor('rsa')
    await sign('cms', more)
    const signature = { form: 'cms', bytes: read('signature'), signed: { content } } as const
    expect(await verifySignature(signature, trust, NOW)).toMatchObject({
      problem: { kind: 'invalid', detail: expect.stringContaining(detail) },
    })
  })
})
