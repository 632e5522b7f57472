# Runs inside the guest; the host times what lies between the markers on the console. Arguments: which workloads to run;
# without any all of them.
all=$#
wanted=" $* "
b() {
  n=$1
  shift
  case $wanted in
    *" $n "*) ;;
    *) [ "$all" = 0 ] || return 0 ;;
  esac
  echo "@@begin $n"
  "$@" >/dev/null 2>&1
  echo "@@end $n $?"
}

cat /usr/bin/python3* /usr/bin/sqlite3 /usr/bin/openssl 2>/dev/null | head -c 12000000 >/tmp/blob
awk 'BEGIN {
  for (i = 0; i < 120; i++)
    printf "static int f%d(int a,int *p){int s=%d;for(int i=0;i<a;i++){switch(p[i]&7){case 0:s+=p[i]*%d;break;case 1:s^=p[i]>>2;break;case 2:s-=a;break;default:s=s*31+p[i];}if(s>%d)s%%=1009;}return s;}\n", i, i, i + 3, 1000 + i
  print "int main(int c,char**v){int p[64]={0};int s=0;"
  for (i = 0; i < 120; i++) printf "s+=f%d(c+%d,p);", i, i % 60
  print "return s&127;}"
}' >/tmp/big.c

forks() {
  i=0
  while [ $i -lt 400 ]; do
    /bin/true
    i=$((i + 1))
  done
}

sha() {
  i=0
  while [ $i -lt 8 ]; do
    openssl dgst -sha256 /tmp/blob
    i=$((i + 1))
  done
}

for k in sieve hash recursion nbody bytecode; do
  [ -x /bench/$k ] && b $k /bench/$k
done
b sha256 sha
b gzip gzip -c /tmp/blob
b sqlite sqlite3 :memory: "
  create table t(a integer primary key, b text, c int);
  with recursive n(x) as (select 1 union all select x+1 from n where x<60000)
    insert into t select x, 'name'||(x*7919%100003), x*x%1013 from n;
  create index tc on t(c);
  select c,count(*),max(b) from t group by c order by 2 desc limit 5;
  select count(*) from t x join t y on x.c=y.c and x.a<y.a where x.a<3000;"
b python python3 -c "
d={}
for i in range(400000):
    k='k%d'%(i%5003)
    d[k]=d.get(k,0)+i*i%7
l=sorted((v,k) for k,v in d.items())
def f(n): return n if n<2 else f(n-1)+f(n-2)
print(f(22),sum(v for v,k in l))"
b awk awk 'BEGIN{for(i=0;i<400000;i++){s+=i%7;a[i%1000]=s substr(s,1,3)};print s}'
b forks forks
b gcc gcc -O2 -c /tmp/big.c -o /tmp/big.o
if command -v redis-server >/dev/null; then
  # A locale that is certainly there: redis-server does not start with another one.
  LC_ALL=C redis-server --save "" --daemonize yes >/dev/null 2>&1
  i=0
  until redis-cli ping >/dev/null 2>&1 || [ $i = 60 ]; do
    sleep 1
    i=$((i + 1))
  done
  b redis redis-benchmark -q -n 1000 -c 10 -t set,get,incr,lpush
fi
echo "@@done"
