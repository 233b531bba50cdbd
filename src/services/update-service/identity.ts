import type { Bmc, Row } from '../../bmc/bmc.ts'
import type { Settings } from '../../bmc/state.ts'
import type { Certificates } from '../../http/certificates.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { type JsonObject, link } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'
import { imageServerCertificateRows } from './image-server-certificates.ts'
import { remoteServerKeyRows } from './remote-server-keys.ts'
import { identityKeyUri, sshIdentityRows } from './ssh-identity.ts'

/** What the UpdateService shows of itself to image servers, and which of them it trusts. */
export function identityRows(certificates: Certificates): Row[] {
  return [...remoteServerKeyRows, ...imageServerCertificateRows(certificates), ...sshIdentityRows]
}

/** What of it stands in the UpdateService itself. */
export function identityMembers(bmc: Bmc): JsonObject {
  const { settings } = bmc.state
  const key = identityKeyUri(bmc)
  return {
    VerifyRemoteServerCertificate: settings.verifyRemoteServerCertificate,
    RemoteServerCertificates: link(uris.remoteServerCertificates),
    ClientCertificates: link(uris.clientCertificates),
    VerifyRemoteServerSSHKey: settings.verifyRemoteServerSshKey,
    RemoteServerSSHKeys: link(uris.remoteServerKeys),
    ...(key !== undefined && { PublicIdentitySSHKey: link(key) }),
  }
}

/** What of that clients may write. */
export const identityPatch = {
  VerifyRemoteServerCertificate: Type.Optional(Type.Boolean()),
  VerifyRemoteServerSSHKey: Type.Optional(Type.Boolean()),
}

type IdentityPatch = {
  readonly [N in keyof typeof identityPatch]?: Static<(typeof identityPatch)[N]> | undefined
}

export function identitySettings(asked: IdentityPatch): Partial<Settings> {
  const { VerifyRemoteServerCertificate: certificate, VerifyRemoteServerSSHKey: key } = asked
  return {
    ...(certificate !== undefined && { verifyRemoteServerCertificate: certificate }),
    ...(key !== undefined && { verifyRemoteServerSshKey: key }),
  }
}
