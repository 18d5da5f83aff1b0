"""[notify], as `check` judges it."""

SECRET = "tok-9-nobody-may-see"


async def test_check_reads_whom_to_tell(command, configured, tmp_path):
    path = configured()
    config = path.read_text() + '[notify]\nurls_file = "urls"\nheartbeat_url = "https://hc.example/uuid-9-secret"\n'
    path.write_text(config)
    urls = tmp_path / "urls"
    missing = await command("check")
    assert missing.code == 1
    assert "notify.urls_file" in missing.out
    assert "No such file" in missing.out
    urls.write_text(f"# who is told\njson://127.0.0.1:9/{SECRET}\nnonsense://{SECRET}\n")
    urls.chmod(0o644)
    faulty = await command("check")
    assert faulty.code == 1
    assert "line 3 (nonsense://…)" in faulty.out
    assert f"chmod 600 {urls.name}" in faulty.out.replace(f"{tmp_path}/", "")
    for ended in (missing, faulty):
        assert SECRET not in ended.out + ended.err


async def test_what_cannot_be_is_refused_with_its_key(command, configured):
    path = configured()
    path.write_text(
        path.read_text() + '[notify]\nheartbeat_url = "hc secret-1234"\nlanguage = "fr"\nat_most_per_hour = 0\n'
    )
    ended = await command("check")
    assert ended.code == 2
    for key in ("heartbeat_url", "language", "at_most_per_hour"):
        assert f"notify.{key}: " in ended.out
