import { uris } from '../../src/redfish/uris.ts'
import { certificateFor } from './authority.ts'
import type { TestEmulator } from './emulator.ts'

/** Keys as ssh-keygen made them, with the fingerprints that it told of them. */
export const sshKeys = {
  ed25519: {
    line: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGe1P8YLEZGYjt2ZieJ1SlQ96r0fpCKSRH0u2s7YJFwV',
    fingerprint: 'SHA256:phQz9P226grD/LfbnUSj6r+m7VRhEuBtUkz+gISn8Ss',
  },
  ecdsa256: {
    line:
      'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBNIGCamYywLMs9p5076K00uKWtPcQMiPyMq' +
      'uTzq7Ry+2rMWtgVGF1LZPhOYcouMh3wgRZIcwmWidQpnNHvHhbs0=',
    fingerprint: 'SHA256:afNOYaK0eJVp8jDNx93fWuDYYWQBGUFrE7AAG03JQ2s',
  },
  ecdsa384: {
    line:
      'ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBMKu8JCK/6ZRCIdYsgYIeBguiPz9ZglfPmU' +
      'q+7B7reTIOSdPkFMCYbxoeCeoK8cCxSx0a6Fqz5ZR/F8LzQ/oiKZxtU6N0IYcDm2h5vj+rj59rx20EYBhJCfqFhVFYZixqg==',
    fingerprint: 'SHA256:xqb7wlBlKYfP6x8TJfhzYgTKtWUUPzAlxurf1GLBcAU',
  },
  ecdsa521: {
    line:
      'ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAHsb0f5uoJtSDaqSC9iBvdJPhcbgXO6ia3' +
      'TqYu5/ap2+dYFJRhmagCSfO1vR5I/lSwRYNxPMMo9NK2Tgouf8YnoOgG/ycsexTMrzBbzGpbIxDsl2a9dUluJ/8ZFvt487lCniygEbZjGRL' +
      'gU7QP2RsFUakd5ncjpsWunZTyKOxHpygGimQ==',
    fingerprint: 'SHA256:jRP1R44yWYnAnoHqpHjZ5ZVcUWZq/oVFM+M3CKO07uo',
  },
  rsa: {
    line:
      'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCj1McGLPuBzxLi2blOEtz+6IyONEjpONme7fIJ1EM8b7TStTTf8qHTGKO9uzIaHZl/8WW' +
      'lHsGkglgYjrdaxEdR86XPEpu6L5rRn4TGYsZgolwupoGMp+U5shUEUMnQIRJ36gOFpPqtkpWn/FHu9d0/eLxD/r+YkI4uw4+900NHhQ==',
    fingerprint: 'SHA256:zdXEZNFEnLVt7H1gTBYZcuM2IuzCc1gCwXoBK7BnvJE',
  },
} as const

/** Gives the UpdateService one of each: a server's key and certificate, a trust anchor, a certificate and an SSH key of its own. */
export async function giveIdentity({ send }: Pick<TestEmulator, 'send'>): Promise<void> {
  const { certificate, privateKey, authority } = await certificateFor(['update.example'])
  const own = { CertificateString: `${certificate}${privateKey}`, CertificateType: 'PEM' }
  const trusted = { CertificateString: authority.certificate, CertificateType: 'PEM' }
  const key = { KeyString: sshKeys.ed25519.line, KeyType: 'SSH' }
  const action = uris.action(uris.updateService, 'UpdateService.GenerateSSHIdentityKeyPair')
  const answers = await Promise.all([
    send(uris.clientCertificates, { method: 'POST', body: own }),
    send(uris.remoteServerCertificates, { method: 'POST', body: trusted }),
    send(uris.trustAnchors, { method: 'POST', body: trusted }),
    send(uris.remoteServerKeys, { method: 'POST', body: key }),
    send(action, { method: 'POST', body: { KeyType: 'Ed25519' } }),
  ])
  const refused = answers.find(({ status }) => status >= 400)
  if (refused) throw new Error(`no identity: ${refused.text}`)
}
