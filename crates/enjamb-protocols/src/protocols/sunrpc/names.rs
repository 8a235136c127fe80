//! Names of programs, procedures and errors.

use std::borrow::Cow;

/// Returns the name of a program (the registry "Sun RPC program numbers").
pub(super) fn program_name(program: u32) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match program {
        100_000 => "PORTMAP",
        100_003 => "NFS",
        100_005 => "MOUNT",
        100_011 => "RQUOTA",
        100_021 => "NLM",
        100_024 => "STATUS",
        100_227 => "NFSACL",
        _ => return None,
    }))
}

/// Returns the name of a procedure (RFC 1813, RFC 1094, RFC 7530, RFC 1833).
pub(super) fn procedure_name(program: u32, version: u32, procedure: u32) -> Option<&'static str> {
    const NFS2: [&str; 18] = [
        "NULL",
        "GETATTR",
        "SETATTR",
        "ROOT",
        "LOOKUP",
        "READLINK",
        "READ",
        "WRITECACHE",
        "WRITE",
        "CREATE",
        "REMOVE",
        "RENAME",
        "LINK",
        "SYMLINK",
        "MKDIR",
        "RMDIR",
        "READDIR",
        "STATFS",
    ];
    const NFS3: [&str; 22] = [
        "NULL",
        "GETATTR",
        "SETATTR",
        "LOOKUP",
        "ACCESS",
        "READLINK",
        "READ",
        "WRITE",
        "CREATE",
        "MKDIR",
        "SYMLINK",
        "MKNOD",
        "REMOVE",
        "RMDIR",
        "RENAME",
        "LINK",
        "READDIR",
        "READDIRPLUS",
        "FSSTAT",
        "FSINFO",
        "PATHCONF",
        "COMMIT",
    ];
    const MOUNT: [&str; 6] = ["NULL", "MNT", "DUMP", "UMNT", "UMNTALL", "EXPORT"];
    const PORTMAP: [&str; 6] = ["NULL", "SET", "UNSET", "GETPORT", "DUMP", "CALLIT"];
    const RPCBIND: [&str; 13] = [
        "NULL",
        "SET",
        "UNSET",
        "GETADDR",
        "DUMP",
        "BCAST",
        "GETTIME",
        "UADDR2TADDR",
        "TADDR2UADDR",
        "GETVERSADDR",
        "INDIRECT",
        "GETADDRLIST",
        "GETSTAT",
    ];
    let names: &[&str] = match (program, version) {
        (100_000, 2) => &PORTMAP,
        (100_000, 3 | 4) => &RPCBIND,
        (100_003, 2) => &NFS2,
        (100_003, 3) => &NFS3,
        (100_003, 4) => &["NULL", "COMPOUND"],
        (100_005, _) => &MOUNT,
        _ if procedure == 0 => return Some("NULL"),
        _ => return None,
    };
    names.get(procedure as usize).copied()
}

/// Returns the name of an error of NFS (RFC 1813, section 2.6; RFC 7530, section 13.1). Those of
/// mount are the same.
pub(super) fn nfs_error(status: u32) -> Cow<'static, str> {
    Cow::Borrowed(match status {
        1 => "NFSERR_PERM",
        2 => "NFSERR_NOENT",
        5 => "NFSERR_IO",
        6 => "NFSERR_NXIO",
        13 => "NFSERR_ACCES",
        17 => "NFSERR_EXIST",
        18 => "NFSERR_XDEV",
        19 => "NFSERR_NODEV",
        20 => "NFSERR_NOTDIR",
        21 => "NFSERR_ISDIR",
        22 => "NFSERR_INVAL",
        27 => "NFSERR_FBIG",
        28 => "NFSERR_NOSPC",
        30 => "NFSERR_ROFS",
        31 => "NFSERR_MLINK",
        63 => "NFSERR_NAMETOOLONG",
        66 => "NFSERR_NOTEMPTY",
        69 => "NFSERR_DQUOT",
        70 => "NFSERR_STALE",
        71 => "NFSERR_REMOTE",
        10001 => "NFSERR_BADHANDLE",
        10002 => "NFSERR_NOT_SYNC",
        10003 => "NFSERR_BAD_COOKIE",
        10004 => "NFSERR_NOTSUPP",
        10005 => "NFSERR_TOOSMALL",
        10006 => "NFSERR_SERVERFAULT",
        10007 => "NFSERR_BADTYPE",
        10008 => "NFSERR_JUKEBOX",
        10011 => "NFSERR_EXPIRED",
        10012 => "NFSERR_LOCKED",
        10013 => "NFSERR_GRACE",
        10016 => "NFSERR_WRONGSEC",
        10022 => "NFSERR_STALE_CLIENTID",
        10023 => "NFSERR_STALE_STATEID",
        10024 => "NFSERR_OLD_STATEID",
        10025 => "NFSERR_BAD_STATEID",
        10026 => "NFSERR_BAD_SEQID",
        10044 => "NFSERR_OP_ILLEGAL",
        10052 => "NFSERR_BADSESSION",
        10053 => "NFSERR_BADSLOT",
        _ => return Cow::Owned(status.to_string()),
    })
}
