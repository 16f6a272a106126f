# git: a repository with some hundred commits, packed, cloned, searched, rebased, collected and checked.
# Dates and names are set, so every object has the same name in both runs.
needs git
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 \
  GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
git config --global init.defaultBranch main
git config --global protocol.file.allow always
git config --global pack.threads 2
git init -q origin
cd origin
for i in $(seq 150); do
  mkdir -p "folder$((i % 7))"
  seq "$i" $((i + 300)) >"folder$((i % 7))/file$((i % 40))"
  git add -A
  git commit -qm "change $i"
done
git branch side HEAD~50
git checkout -q side
for i in $(seq 10); do seq "$i" 40 >"side$i"; git add -A; git commit -qm "side $i"; done
git rebase -q main
git checkout -q main
git merge -q --no-ff -m merge side
git log -p --stat | sha256sum
git blame folder3/file3 | sha256sum
git grep -c 42 | sha256sum
cd ..
git clone -q --no-local origin copy
cd copy
git -c gc.autoDetach=false gc -q --aggressive --prune=now
git fsck --full 2>&1
git archive HEAD | sha256sum
git count-objects -v | grep -E '^(count|in-pack|packs)'
git diff HEAD~30 --stat | tail -n 1
git clone -q --depth 3 "file://$PWD" ../shallow
git -C ../shallow log --oneline
