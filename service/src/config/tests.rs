use super::*;

fn load(text: &str) -> Result<Config, ConfigError> {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join(FILE), text).unwrap();
    Config::load(data.path())
}

#[test]
fn the_least_settings_are_enough() {
    let config = load("name='desk.example'\nlisten='127.0.0.1:7443'").unwrap();
    assert_eq!(config.lifetimes.presence, Duration::from_secs(300));
    assert_eq!(config.card_rules.loss, time::Duration::days(15));
    assert!(config.database.ends_with("healthcard.db"));
}

#[test]
fn wrong_settings_are_refused_by_name() {
    let good = "name='desk.example'\nlisten='127.0.0.1:7443'\n";
    let (rack, place) = ("[devices.rack]\nlibrary='lib.so'\n", "device='rack'\nindex=3\n");
    let cases = [
        ("listen='127.0.0.1:1'".to_owned(), "missing field `name`"),
        ("name='a b'\nlisten='127.0.0.1:1'".to_owned(), "setting `name`"),
        ("name='a'\nlisten='localhost'".to_owned(), "setting `listen`"),
        (format!("{good}passphrase='x'"), "unknown field `passphrase`"),
        (format!("{good}[national]"), "missing field `listen`"),
        (format!("{good}[national]\nlisten='gm'"), "setting `national.listen`"),
        (format!("{good}[lifetimes]\nsession=1"), "setting `lifetimes.session`"),
        (format!("{good}[lifetimes]\ncode=9"), "setting `lifetimes.code`"),
        (format!("{good}[logins]\nrefusals=2"), "setting `logins.refusals`"),
        (format!("{good}[logins]\nwithin=59"), "setting `logins.within`"),
        (format!("{good}[logins]\nrefusals=8\nwithin=63"), "setting `logins.within`: longer"),
        (format!("{good}[logins]\nrefusals=100"), "setting `logins.within`: longer"),
        (format!("{good}[logins]\nlocked=3601"), "setting `logins.locked`"),
        (format!("{good}[cards]\nloss_days=366"), "setting `cards.loss_days`"),
        (format!("{good}[cards]\nreview_hours=0"), "setting `cards.review_hours`"),
        (format!("{good}[enrolment]\nreview_hours=721"), "setting `enrolment.review_hours`"),
        (format!("{good}[enrolment]\none_person=['clerk']"), "setting `enrolment.one_person`"),
        (format!("{good}[enrolment]\none_person=['desk']"), "setting `enrolment.one_person`"),
        (format!("{good}[enrolment]\none_person=['all']"), "unknown variant `all`"),
        (format!("{good}[certificates]\nca_code='1'"), "setting `certificates.ca_code`"),
        (format!("{good}[certificates]\nid_number=true"), "unknown field `id_number`"),
        (
            format!("{good}[[certificates.identifiers]]\nvalue='id_number'"),
            "unknown variant `id_number`",
        ),
        (format!("{good}[metrics]\nreaders='anybody'"), "setting `metrics.readers`"),
        (format!("{good}[disk]\nlow_mib=0"), "setting `disk.low_mib`"),
        (format!("{good}[disk]\ncritical_mib=2049"), "setting `disk.critical_mib`"),
        (format!("{good}[disk]\nreserve_mib=65537"), "setting `disk.reserve_mib`"),
        (format!("{good}[disk]\nslow_milliseconds=9"), "setting `disk.slow_milliseconds`"),
        (format!("{good}[disk]\npatience_seconds=1"), "setting `disk.patience_seconds`: longer"),
        (format!("{good}[disk]\nfull='stop'"), "unknown field `full`"),
        (format!("{good}[time_stamps]\npolicy='1'"), "setting `time_stamps.policy`"),
        (format!("{good}[time_stamps]\naccuracy=0"), "setting `time_stamps.accuracy`"),
        (format!("{good}[time_stamps]\nform='cms'"), "setting `time_stamps.form`"),
        (
            format!("{good}[revocation_lists]\nranges_above=100001"),
            "setting `revocation_lists.ranges_above`",
        ),
        (format!("{good}policy='none'"), "reading "),
        (format!("{good}card_script='none.txt'"), "reading "),
        (format!("{good}card_security='sam'\ncard_script='a'"), "setting `card_script`"),
        (format!("{good}public_url='ftp://a'"), "setting `public_url`"),
        (format!("{good}public_url='http://a/'"), "setting `public_url`"),
        (format!("{good}card_security='hsm'"), "setting `card_security`"),
        (format!("{good}card_diversification='pboc'"), "setting `card_diversification`"),
        (format!("{good}[keys.token]\ndevice='a'\nindex=1"), "setting `keys.*.device`"),
        (format!("{good}{rack}sessions=0"), "setting `devices.*.sessions`"),
        (format!("{good}{rack}sessions=65"), "setting `devices.*.sessions`"),
        (format!("{good}{rack}ecc_bits=384"), "setting `devices.*.ecc_bits`"),
        (format!("{good}{rack}signature_number='rsa'"), "setting `devices.*.signature_number`"),
        (format!("{good}{rack}pin='1'"), "unknown field `pin`"),
        (format!("{good}{rack}[keys.ca-root]\n{place}"), "setting `keys`"),
        (format!("{good}{rack}[keys.data]\n{place}"), "setting `keys`"),
        (format!("{good}{rack}[keys.none]\n{place}"), "setting `keys`"),
        (format!("{good}{rack}[keys.log]\n{place}[keys.token]\n{place}"), "setting `keys.*.index`"),
        (format!("{good}{rack}[keys.log]\n{place}public_key='04'"), "setting `keys.*.public_key`"),
        (
            format!("{good}{rack}[keys.log]\n{place}access_code_file='a'"),
            "`keys.*.access_code_file`",
        ),
        (" ".repeat(70_000), "reading "),
    ];
    for (text, expected) in cases {
        let error = load(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} for {expected}");
    }
}
